// SPDX-License-Identifier: MIT
// Evaluates one expression of an emitted text.
#include "codegen/evaluation.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace rankone {
namespace {

using Value = Constants::Value;

// The type of templates/kernels/policy.cuh whose constants hold where no other type says them.
constexpr std::string_view type_of_the_tacit = "Tacit";

// Binary operators, the weakest first.
using Level = std::array<std::string_view, 4>;
constexpr Level levels[] = {{"||"}, {"&&"},     {"|"},          {"^"}, {"&"}, {"==", "!="}, {"<", ">", "<=", ">="},
                            {"<<"}, {"+", "-"}, {"*", "/", "%"}};
constexpr int level_count = static_cast<int>(std::size(levels));

Value combined(std::string_view word, Value left, Value right) {
  const auto is = [](const Value& value, bool truth) { return value && (*value != 0) == truth; };
  if (word == "&&" && (is(left, false) || is(right, false))) return 0;
  if (word == "||" && (is(left, true) || is(right, true))) return 1;
  if (!left || !right) return {};
  const long long a = *left, b = *right;
  if (word == "&&" || word == "||") return word == "&&";
  if (word == "==") return a == b;
  if (word == "!=") return a != b;
  if (word == "<") return a < b;
  if (word == ">") return a > b;
  if (word == "<=") return a <= b;
  if (word == ">=") return a >= b;
  if (word == "|") return a | b;
  if (word == "^") return a ^ b;
  if (word == "&") return a & b;
  if (word == "+") return a + b;
  if (word == "-") return a - b;
  if (word == "*") return a * b;
  if (word == "<<" && b >= 0 && b < 31) return a * (1ll << b);
  if ((word == "/" || word == "%") && b > 0) return word == "/" ? a / b : a % b;
  return {};
}

Value number(std::string_view text) {
  const bool is_hex = text.starts_with("0x");
  if (is_hex) text.remove_prefix(2);
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, is_hex ? 16 : 10);
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  return error == std::errc() && suffix.find_first_not_of("uUlL") == suffix.npos ? Value(value) : Value();
}

std::string joined(const Tokens& tokens) {
  std::string text;
  for (const Token& token : tokens) text += token.text;
  return text;
}

}  // namespace

Value Evaluation::conditional() {
  const Value condition = binary(0);
  if (!accept("?")) return condition;
  const Value then = conditional();
  if (!accept(":")) return {};
  const Value otherwise = conditional();
  return !condition ? (then == otherwise ? then : Value()) : *condition != 0 ? then : otherwise;
}

Value Evaluation::binary(int level) {
  if (level == level_count) return unary();
  Value left = binary(level + 1);
  for (;;) {
    const Level& words = levels[level];
    const auto word = std::find(words.begin(), words.end(), peek());
    if (word == words.end() || word->empty()) return left;
    ++at_;
    left = combined(*word, left, binary(level + 1));
  }
}

Value Evaluation::unary() {
  if (accept("!")) {
    const Value value = unary();
    return value ? Value(*value == 0) : value;
  }
  if (accept("-")) {
    const Value value = unary();
    return value ? Value(-*value) : value;
  }
  return primary();
}

Value Evaluation::primary() {
  if (accept("(")) {
    const Value value = conditional();
    return accept(")") ? value : Value();
  }
  const std::string_view word = peek();
  if (accept("true")) return 1;
  if (accept("false")) return 0;
  if (!word.empty() && std::isdigit(static_cast<unsigned char>(word[0]))) {
    ++at_;
    return number(word);
  }
  if (word == "sizeof") return size();
  if (!is_name(word)) return {};
  const Path named = path();
  if (peek() == "[") {
    if (const Value value = element(named.names.back())) {
      at_ = std::min(closing(tokens_, at_) + 1, tokens_.size());
      return value;
    }
  }
  Value value = peek() == "(" ? call(named) : path_value(named);
  while (peek() == "[" || peek() == "." || peek() == "(") {  // of objects nothing is known
    value = {};
    if (accept("."))
      path();
    else
      at_ = std::min(closing(tokens_, at_) + 1, tokens_.size());
  }
  return value;
}

// Of the types that policies name.
Value Evaluation::size() {
  ++at_;
  const std::size_t close = closing(tokens_, at_);
  if (peek() != "(" || close == tokens_.size()) return {};
  const std::optional<std::string> type = type_name(
      {tokens_.begin() + static_cast<std::ptrdiff_t>(at_) + 1, tokens_.begin() + static_cast<std::ptrdiff_t>(close)});
  at_ = close + 1;
  if (type == "bf16" || type == "f16") return 2;
  return type == "float" ? Value(4) : Value();
}

// Of an array whose elements are all the same.
Value Evaluation::element(std::string_view name) const {
  const auto [begin, end] = constants_.constants_.equal_range(std::string(name) + "[]");
  if (begin == end || std::next(begin) != end) return {};
  const Tokens& list = begin->second.initializer;
  Value common;
  for (std::size_t i = 1; i + 1 < list.size();) {
    std::size_t next = i;
    while (next + 1 < list.size() && list[next].text != ",") ++next;
    const Tokens one(list.begin() + static_cast<std::ptrdiff_t>(i), list.begin() + static_cast<std::ptrdiff_t>(next));
    const Value value = Evaluation(constants_, one, {}, {}).run();
    if (!value || (common && *common != *value)) return {};
    common = value;
    i = next + 1;
  }
  return common;
}

// Those of a template, where they stand next.
Tokens Evaluation::arguments() {
  if (peek() != "<") return {};
  const std::size_t close = closing_angle(tokens_, at_);
  if (close == 0) return {};
  Tokens found(tokens_.begin() + static_cast<std::ptrdiff_t>(at_) + 1,
               tokens_.begin() + static_cast<std::ptrdiff_t>(close));
  at_ = close + 1;
  return found;
}

Evaluation::Path Evaluation::path() {
  Path result;
  do {
    accept("template");
    if (!is_name(peek())) break;
    result.names.push_back(peek());
    ++at_;
    result.arguments = arguments();
    const auto is_role = [](const Token& token) { return token.text == "Role"; };
    result.has_role = result.has_role || std::any_of(result.arguments.begin(), result.arguments.end(), is_role);
  } while (accept("::"));
  return result;
}

Value Evaluation::call(const Path& path) {
  const std::size_t close = closing(tokens_, at_);
  std::vector<Value> values;
  for (std::size_t begin = at_ + 1; begin < close;) {
    std::size_t end = begin;
    while (end < close && tokens_[end].text != ",")
      end = tokens_[end].text == "(" ? std::min(closing(tokens_, end) + 1, close) : end + 1;
    const Tokens argument(tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
                          tokens_.begin() + static_cast<std::ptrdiff_t>(end));
    values.push_back(Evaluation(constants_, argument, types_, bindings_, pending_).run());
    begin = end + 1;
  }
  at_ = std::min(close + 1, tokens_.size());
  const std::string name(path.names.back());
  const auto found = constants_.functions_.find(name);
  if (path.names.size() != 1 || found == constants_.functions_.end() || pending_.contains(name) ||
      found->second.parameters.size() != values.size())
    return {};
  Bindings bindings = roles();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!values[i])
      return {};
    else
      bindings[found->second.parameters[i]] = *values[i];
  auto pending = pending_;
  pending.insert(name);
  return Evaluation(constants_, found->second.result, {}, std::move(bindings), std::move(pending)).run();
}

Value Evaluation::path_value(const Path& path) {
  if (path.names.empty()) return {};
  const std::string_view name = path.names.back();
  if (path.has_role) return {};  // of another role than the kernel's
  if (path.names.size() > 1) {
    const std::string qualified = std::string(path.names[path.names.size() - 2]) + "::" + std::string(name);
    const auto found = constants_.enumerators_.find(qualified);
    return found != constants_.enumerators_.end() ? Value(found->second) : of_all(name);
  }
  if (const auto bound = bindings_.find(name); bound != bindings_.end()) return bound->second;
  return path.arguments.empty() ? member(name) : variable(name, path.arguments);
}

// By its bare name, from within the types.
Value Evaluation::member(std::string_view name) {
  const auto [begin, end] = constants_.constants_.equal_range(name);
  for (auto type = types_.rbegin(); type != types_.rend(); ++type) {
    if (constants_.hidden_.contains({*type, name})) return {};
    const auto is_own = [&](const auto& each) { return each.second.type == *type; };
    const auto own = std::find_if(begin, end, is_own);
    if (own == end) continue;
    return std::find_if(std::next(own), end, is_own) == end ? of(own->second, name) : Value();  // or specializations'
  }
  if (constants_.hidden_.contains({std::string_view(), name})) return {};
  if (const auto found = constants_.enumerators_.find(name); found != constants_.enumerators_.end())
    return found->second;
  for (auto each = begin; each != end; ++each)
    if (each->second.type.empty()) return of(each->second, name);
  return {};
}

// Of a type that is a parameter: it may be any that has such a member. What is tacit holds where no other says it.
Value Evaluation::of_all(std::string_view name) {
  const auto [begin, end] = constants_.constants_.equal_range(name);
  const auto is_tacit = [](const auto& each) { return each.second.type == type_of_the_tacit; };
  const bool is_said = !std::all_of(begin, end, is_tacit);
  Value common;
  for (auto each = begin; each != end; ++each) {
    const Tokens& said = each->second.initializer;
    if (each->second.type.empty() || (is_said && is_tacit(*each))) continue;
    if (said.size() > 2 && said.back().text == name && said[said.size() - 2].text == "::") continue;  // handed on
    const Value value = of(each->second, name);
    if (!value || (common && *common != *value)) return {};
    common = value;
  }
  return common;
}

// A variable template, of which a specialization is for one type.
Value Evaluation::variable(std::string_view name, const Tokens& arguments) {
  const auto primary = constants_.constants_.find(name);
  if (primary == constants_.constants_.end() || !primary->second.type.empty()) return {};
  if (constants_.hidden_.contains({std::string_view(), name})) return {};
  const std::string begin = std::string(name) + "<";
  const auto special = constants_.constants_.lower_bound(begin);
  if (special == constants_.constants_.end() || !special->first.starts_with(begin)) return of(primary->second, name);
  const std::optional<std::string> type = type_name(arguments);
  if (!type) return {};
  const auto found = constants_.constants_.find(begin + *type + ">");
  return of(found != constants_.constants_.end() ? found->second : primary->second, name);
}

Value Evaluation::of(const Definition& definition, std::string_view name) {
  if (pending_.contains(name)) return {};
  auto pending = pending_;
  pending.emplace(name);
  std::vector<std::string_view> types;
  if (!definition.type.empty()) types.push_back(definition.type);
  return Evaluation(constants_, definition.initializer, std::move(types), roles(), std::move(pending)).run();
}

// What constants of other scopes know of these.
Evaluation::Bindings Evaluation::roles() const {
  Bindings roles;
  for (const char* role : {"role", "role_"})
    if (const auto bound = bindings_.find(role); bound != bindings_.end()) roles.insert(*bound);
  return roles;
}

// Behind aliases, which must all say the same.
std::optional<std::string> Evaluation::type_name(const Tokens& type, int depth) const {
  if (type.empty() || depth > 4 || !is_name(type.back().text)) return {};
  if (std::any_of(type.begin(), type.end(), [](const Token& token) { return token.text == ","; })) return {};
  const std::string_view name = type.back().text;
  const bool is_qualified = type.size() > 1 && type[type.size() - 2].text == "::";
  const auto is_hidden = [&](std::string_view scope) { return constants_.hidden_.contains({scope, name}); };
  if (!is_qualified && std::any_of(types_.begin(), types_.end(), is_hidden)) return {};
  const auto [begin, end] = constants_.aliases_.equal_range(name);
  std::optional<std::string> common;
  for (auto each = begin; each != end; ++each) {
    if (!is_qualified && std::find(types_.begin(), types_.end(), each->second.type) == types_.end()) continue;
    const Tokens& said = each->second.initializer;
    if (!said.empty() && said.back().text == name) continue;  // handed on
    const std::optional<std::string> one = said.size() == 1 ? std::optional(joined(said)) : type_name(said, depth + 1);
    if (!one || (common && *common != *one)) return {};
    common = one;
  }
  // Handed on by the type itself, it is what others call so.
  if (!common && !is_qualified && begin != end) {
    for (auto each = begin; each != end; ++each)
      if (const Tokens& said = each->second.initializer;
          std::find(types_.begin(), types_.end(), each->second.type) != types_.end() && said.size() > 1)
        return type_name(said, depth + 1);
  }
  return common;
}

}  // namespace rankone
