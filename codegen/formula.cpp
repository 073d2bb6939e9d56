// SPDX-License-Identifier: MIT
// Parses formulas by recursive descent, one function for each rule of the grammar.
#include "codegen/formula.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <rankone/dsl/graph.hpp>
#include <rankone/error.hpp>

#include "codegen/render.hpp"

namespace rankone {
namespace {

constexpr int max_depth = 100;       // of parentheses, calls and signs
constexpr int max_written = 10'000;  // nodes once bindings are written out, as descriptions for people do

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  Expression run() {
    while (binding()) {}
    const short root = sum();
    skip_space();
    if (at_ < text_.size()) refuse("the formula goes on after its end", at_, "an operator or the end");
    const Expression result = canonical(graph_.take(root));
    check_written_size(result);
    return result;
  }

 private:
  using Index = short;

  // A name followed by '=' binds it; anything else is left for sum().
  bool binding() {
    const std::size_t begin = at_;
    skip_space();
    const std::size_t name_at = at_;
    const std::string_view name = identifier();
    if (name.empty() || !take('=')) {
      at_ = begin;
      return false;
    }
    if (is_function(name)) refuse("the name of a function is bound", name_at, "a name that no function has", name);
    if (bindings_.count(name)) refuse("a name is bound twice", name_at, "each name bound once", name);
    const Index value = sum();
    expect(';', "the binding");
    bindings_[name] = value;
    return true;
  }

  Index sum() {
    Index left = product();
    for (;;) {
      if (take('+'))
        left = add({.operation = Operation::add, .left = left, .right = product()});
      else if (take('-'))
        left = add({.operation = Operation::subtract, .left = left, .right = product()});
      else
        return left;
    }
  }

  Index product() {
    Index left = factor();
    for (;;) {
      if (take('*'))
        left = add({.operation = Operation::multiply, .left = left, .right = factor()});
      else if (take('/'))
        left = add({.operation = Operation::divide, .left = left, .right = factor()});
      else
        return left;
    }
  }

  Index factor() {
    if (++depth_ > max_depth) refuse("the formula is nested too deeply", at_, "100 levels");
    const Index result = signed_factor();
    --depth_;
    return result;
  }

  Index signed_factor() {
    if (take('-')) {
      if (skip_space(), at_number()) return number(-1);
      return add({.operation = Operation::negate, .left = factor()});
    }
    if (take('(')) {
      const Index inner = sum();
      expect(')', "the parenthesis");
      return inner;
    }
    if (skip_space(), at_number()) return number(1);
    const std::size_t begin = at_;
    const std::string_view name = identifier();
    if (name.empty()) refuse("a value is missing", at_, "a number, a name, '(' or '-'");
    if (take('(')) return call(name, begin);
    const auto found = bindings_.find(name);
    if (found == bindings_.end())
      refuse("unknown name", begin,
             "input(NAME), param(NAME) or scalar(NAME) for a tensor or scalar, or a name bound "
             "before by 'NAME = ...;'",
             name);
    return found->second;
  }

  Index call(std::string_view function, std::size_t begin) {
    Node node{.operation = function_named(function, begin)};
    if (is_named(node.operation)) {
      node.name = tensor_name();
      if (node.operation != Operation::scalar && take(',')) node.axes = axes();
    }
    if (operand_count(node.operation) > 0) node.left = sum();
    if (operand_count(node.operation) > 1) {
      if (!take(',')) refuse(std::string(function) + " takes two operands", at_, "','");
      node.right = sum();
    }
    expect(')', function);
    return add(node);
  }

  static bool is_function(std::string_view name) {
    return std::any_of(operation_traits.begin(), operation_traits.end(), [&](const OperationTraits& each) {
      return each.name == name && each.operation != Operation::constant;
    });
  }

  Operation function_named(std::string_view name, std::size_t begin) const {
    for (const OperationTraits& each : operation_traits)
      if (each.name == name && each.operation != Operation::constant) return each.operation;
    std::string accepted;
    for (const OperationTraits& each : operation_traits)
      if (is_letter(each.name[0]) && each.operation != Operation::constant)
        accepted += (accepted.empty() ? "" : ", ") + std::string(each.name);
    refuse("unknown function", begin, accepted, name);
  }

  Name tensor_name() {
    const bool quoted = take('"');
    skip_space();
    const std::size_t begin = at_;
    const std::string_view name = identifier();
    if (name.empty()) refuse("a name is missing", begin, "a letter, then letters, digits or '_'");
    if (name.size() > max_name) refuse("a name is too long", begin, "at most 31 characters", name);
    if (quoted) expect('"', "the name");
    return Name(name);
  }

  Axes axes() {
    Axes result{.bits = 0};
    do {
      skip_space();
      const std::size_t begin = at_;
      const std::string_view axis = identifier();
      result.bits |= axis == "H"    ? Axes::head
                     : axis == "HV" ? Axes::value_head
                     : axis == "K"  ? Axes::key
                     : axis == "V"  ? Axes::value
                                    : 0;
      if (axis != "H" && axis != "HV" && axis != "K" && axis != "V")
        refuse("unknown axis", begin, "H, HV, K, V, joined by '|'", axis.empty() ? rest() : axis);
    } while (take('|'));
    return result;
  }

  bool at_number() const {
    return at_ < text_.size() &&
           (is_digit(text_[at_]) || (text_[at_] == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])));
  }

  Index number(double sign) {
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc{}) refuse("a number is out of range", at_, "a finite number", rest());
    at_ = static_cast<std::size_t>(end - text_.data());
    return add({.operation = Operation::constant, .value = sign * value});
  }

  std::string_view identifier() {
    skip_space();
    const std::size_t begin = at_;
    if (at_ < text_.size() && is_letter(text_[at_]))
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Equal nodes are one node.
  Index add(const Node& node) {
    const Index index = graph_.add(node);
    if (graph_.size() > max_nodes) refuse("the formula is too large", at_, "at most 64 different nodes");
    return index;
  }

  void check_written_size(const Expression& expression) const {
    std::array<int, max_nodes> sizes{};
    for (int i = 0; i < expression.size; ++i) {
      const Node& node = expression.nodes[static_cast<std::size_t>(i)];
      int& size = sizes[static_cast<std::size_t>(i)];
      size = 1;
      for (const int operand : {node.left, node.right})
        if (operand >= 0) size += sizes[static_cast<std::size_t>(operand)];
      if (size > max_written)
        refuse("the formula is too large once its bindings are written out", 0, "10000 operations");
    }
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, std::string_view what) {
    if (!take(c)) refuse(std::string(what) + " is not closed", at_, std::string("'") + c + "'");
  }
  std::string_view rest() const { return text_.substr(at_, 20); }

  [[noreturn]] void refuse(std::string message, std::size_t position, std::string_view accepted,
                           std::string_view given = {}) const {
    if (given.empty()) given = position < text_.size() ? text_.substr(position, 20) : "the end of the formula";
    const std::string formula = std::string(text_.substr(0, 160)) + (text_.size() > 160 ? "..." : "");
    throw Error(ErrorCode::invalid_argument, std::move(message),
                "'" + std::string(given) + "' at position " + std::to_string(position + 1) + " of '" + formula + "'",
                std::string(accepted), std::string(where_));
  }

  std::string_view text_, where_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::map<std::string_view, Index> bindings_;
  Graph<max_nodes + 1> graph_;
};

}  // namespace

Expression parse_formula(std::string_view text, std::string_view where) { return Parser(text, where).run(); }

}  // namespace rankone
