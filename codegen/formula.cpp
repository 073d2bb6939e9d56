// SPDX-License-Identifier: MIT
// Parses formulas by recursive descent, one function for each rule of the grammar.
#include "codegen/formula.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <rankone/dsl/expression.hpp>
#include <rankone/dsl/operations.hpp>
#include <rankone/error.hpp>

#include "codegen/names.hpp"

namespace rankone {
namespace {

constexpr int max_depth = 2 * max_nodes;  // of parentheses, calls and signs: no formula is printed deeper

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
    for (const auto& [name, binding] : bindings_)
      if (!binding.is_read) refuse("a name is bound and nothing reads it", binding.at, "bindings that are read", name);
    return Expression(graph_, root);
  }

 private:
  using Index = short;
  struct Binding {
    Index value = -1;
    std::size_t at = 0;
    bool is_read = false;
  };

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
    bindings_[name] = {.value = value, .at = name_at};
    return true;
  }

  Index sum() {
    Index left = product();
    for (;;) {
      if (take('+'))
        left = add(Node{.operation = Operation::add, .left = left, .right = product()});
      else if (take('-'))
        left = add(Node{.operation = Operation::subtract, .left = left, .right = product()});
      else
        return left;
    }
  }

  Index product() {
    Index left = factor();
    for (;;) {
      if (take('*'))
        left = add(Node{.operation = Operation::multiply, .left = left, .right = factor()});
      else if (take('/'))
        left = add(Node{.operation = Operation::divide, .left = left, .right = factor()});
      else
        return left;
    }
  }

  Index factor() {
    if (++depth_ > max_depth) refuse("the formula is nested too deeply", at_, std::to_string(max_depth) + " levels");
    const Index result = signed_factor();
    --depth_;
    return result;
  }

  Index signed_factor() {
    if (take('-')) {
      if (skip_space(), at_number()) return number(-1);
      return add(Node{.operation = Operation::negate, .left = factor()});
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
    found->second.is_read = true;
    return found->second.value;
  }

  Index call(std::string_view function, std::size_t begin) {
    Node node{.operation = function_named(function, begin)};
    if (operand_count(node.operation) == 0) {
      Leaf leaf{.operation = node.operation};
      if (is_named(node.operation)) leaf.name = tensor_name();
      if (is_named(node.operation) && node.operation != Operation::scalar && take(',')) leaf.axes = axes();
      expect(')', function);
      return add(leaf);
    }
    node.left = sum();
    if (operand_count(node.operation) > 1) {
      if (!take(',')) refuse(std::string(function) + " takes two operands", at_, "','");
      node.right = sum();
    }
    while (node.operation == Operation::concatenate && take(',')) {
      node.left = add(node);
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
    Axes result = Axes::none;
    do {
      skip_space();
      const std::size_t begin = at_;
      const std::string_view axis = identifier();
      const auto known = value_in(axis_names, axis);
      if (!known) refuse("unknown axis", begin, list_of(axis_names) + ", joined by '|'", axis.empty() ? rest() : axis);
      result = result | *known;
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
    return add(Node{.operation = Operation::constant, .value = sign * value});
  }

  std::string_view identifier() {
    skip_space();
    const std::size_t begin = at_;
    if (at_ < text_.size() && is_letter(text_[at_]))
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Equal nodes are one node.
  template <class NodeOrLeaf> Index add(const NodeOrLeaf& node) {
    try {
      return graph_.add(node);
    } catch (const Error& error) {  // too many
      refuse(error.message(), at_, error.accepted());
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
  std::map<std::string_view, Binding> bindings_;
  Graph<max_nodes> graph_;
};

}  // namespace

Expression parse_formula(std::string_view text, std::string_view where) { return Parser(text, where).run(); }

}  // namespace rankone
