// SPDX-License-Identifier: MIT
// Reads the constants of a text.
#include "codegen/constants.hpp"

#include <algorithm>

#include "codegen/evaluation.hpp"

namespace rankone {

std::map<std::size_t, std::string_view> bodies_of(const Tokens& tokens) {
  std::map<std::size_t, std::string_view> bodies;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const std::string_view word = tokens[i].text;
    if (word == "template" && tokens[i + 1].text == "<") {  // its parameters are no types
      i = std::max(closing_angle(tokens, i + 1), i);
      continue;
    }
    if (word != "struct" && word != "class" && word != "namespace") continue;
    std::size_t name = i + 1;
    if (tokens[name].text == "alignas") name = closing(tokens, name + 1) + 1;
    std::size_t at = name;
    while (at < tokens.size() && tokens[at].text != "{" && tokens[at].text != ";" && tokens[at].text != "(") ++at;
    if (at < tokens.size() && tokens[at].text == "{")
      bodies[at] = word == "namespace" ? std::string_view() : tokens[name].text;
  }
  return bodies;
}

// Walks a text once.
class ConstantReader {
 public:
  ConstantReader(Constants& constants, Tokens tokens)
      : constants_(constants), tokens_(std::move(tokens)), bodies_(bodies_of(tokens_)) {}

  void run() {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const std::string_view word = tokens_[i].text;
      if (word == "{") {
        const auto body = bodies_.find(i);
        open_.push_back(body == bodies_.end() ? Scope{} : Scope{body->second, true});
      } else if (word == "}") {
        if (!open_.empty()) open_.pop_back();
      } else if (word == "Role" && text(i + 1) == "::") {
        constants_.roles_.push_back("Role::" + std::string(text(i + 2)));
      } else if (word == "enum") {
        i = read_enum(i);
      } else if (declares() && (word == "constexpr" || word == "RK_CONSTEXPR")) {
        i = read_constant(i);
      } else if (declares() && word == "using") {
        i = read_alias(i);
      } else if (is_name(text(i + 1)) && (is_of_variable(word) || word == "using" || is_of_parameter(i))) {
        constants_.hidden_.emplace(type(), text(i + 1));
      }
    }
  }

 private:
  struct Scope {
    std::string_view type;
    bool declares = false;
  };
  std::string_view text(std::size_t i) const { return i < tokens_.size() ? tokens_[i].text : std::string_view(); }
  bool declares() const { return open_.empty() || open_.back().declares; }
  // The innermost.
  std::string_view type() const {
    const auto found = std::find_if(open_.rbegin(), open_.rend(), [](const Scope& s) { return s.declares; });
    return found == open_.rend() ? std::string_view() : found->type;
  }
  static bool is_of_variable(std::string_view word) {
    return word == "bool" || word == "int" || word == "unsigned" || word == "long" || word == "auto";
  }
  // Whether a template's parameter that is a type is named next.
  bool is_of_parameter(std::size_t i) const {
    return (text(i) == "class" || text(i) == "typename") && i > 0 && (text(i - 1) == "<" || text(i - 1) == ",");
  }
  Tokens range(std::size_t begin, std::size_t end) const {
    return {tokens_.begin() + static_cast<std::ptrdiff_t>(begin), tokens_.begin() + static_cast<std::ptrdiff_t>(end)};
  }

  // Of what is at `i` the token that ends it.
  std::size_t read_enum(std::size_t i) {
    const std::string prefix = text(i + 1) == "class" ? std::string(text(i + 2)) + "::" : std::string();
    while (i < tokens_.size() && text(i) != "{" && text(i) != ";") ++i;
    if (text(i) != "{") return i;
    const std::size_t close = closing(tokens_, i);
    long long next = 0;
    for (++i; i < close; ++i) {
      const std::string name = prefix + std::string(text(i));
      std::size_t end = i;
      while (end < close && text(end) != ",") ++end;
      bool known = true;
      if (text(i + 1) == "=") {
        const Tokens initializer = range(i + 2, end);
        const Constants::Value value = Evaluation(constants_, initializer, {}, {}).run();
        known = value.has_value();
        next = value.value_or(0);
      }
      if (known) constants_.enumerators_[name] = next;
      ++next;
      i = end;
    }
    return close;
  }

  std::size_t read_constant(std::size_t i) {
    std::size_t end = i, last = 0;
    for (; end < tokens_.size() && text(end) != ";"; ++end) {
      if (text(end) == "{" && last == 0) return read_function(i, end);
      if (text(end) == "(" || text(end) == "{" || text(end) == "[") {
        end = closing(tokens_, end);
      } else if (text(end) == "=") {
        if (last != 0) add_constant(last, begin_of_declarator(end) - 1);
        last = end;
      }
    }
    if (last != 0) add_constant(last, end);
    return end;
  }
  // Where the name before `=` stands, or that of the specialization.
  std::size_t begin_of_declarator(std::size_t equals) const {
    std::size_t i = equals - 1;
    if (text(i) == "]" && text(i - 1) == "[") return i - 2;
    if (text(i) == ">")
      while (i > 0 && text(i) != "<") --i;
    return text(i) == "<" ? i - 1 : i;
  }
  void add_constant(std::size_t equals, std::size_t end) {
    std::string name;
    for (std::size_t i = begin_of_declarator(equals); i < equals; ++i) name += text(i);
    if (!is_name(name)) return;
    constants_.constants_.insert({name, {type(), range(equals + 1, end)}});
  }
  // Known where it only returns, its parameters alone deciding.
  std::size_t read_function(std::size_t i, std::size_t body) {
    const std::size_t close = closing(tokens_, body);
    std::size_t call = i;
    while (call < body && text(call) != "(") ++call;
    const bool only_returns = text(body + 1) == "return" && close > body + 3 && text(close - 1) == ";" &&
                              std::count_if(tokens_.begin() + static_cast<std::ptrdiff_t>(body),
                                            tokens_.begin() + static_cast<std::ptrdiff_t>(close),
                                            [](const Token& t) { return t.text == ";"; }) == 1;
    if (!type().empty() || call == body) return close;
    Constants::Function function;
    if (only_returns) function.result = range(body + 2, close - 1);
    for (std::size_t at = call + 1; at < body; ++at)
      if ((text(at) == "," || text(at) == ")") && is_name(text(at - 1))) function.parameters.push_back(text(at - 1));
    // Overloads are told apart by types, which are not known here.
    const std::string name(text(call - 1));
    if (!constants_.functions_.insert({name, function}).second) constants_.functions_[name] = {};
    return close;
  }
  std::size_t read_alias(std::size_t i) {
    std::size_t end = i;
    while (end < tokens_.size() && text(end) != ";") ++end;
    if (text(i + 2) == "=") constants_.aliases_.insert({std::string(text(i + 1)), {type(), range(i + 3, end)}});
    return end;
  }

  Constants& constants_;
  const Tokens tokens_;
  const std::map<std::size_t, std::string_view> bodies_;
  std::vector<Scope> open_;
};

Constants::Constants(const std::vector<std::string_view>& texts) {
  for (const std::string_view text : texts) {
    if (text.data() == texts.back().data()) roles_.clear();  // the kernels stand in the last
    ConstantReader(*this, tokens_of(text)).run();
  }
}

Constants::Value Constants::value(const Tokens& expression, const std::vector<std::string_view>& types,
                                  const Bindings& own) const {
  std::vector<Bindings> roles;
  for (const std::string& role : roles_)
    if (const auto found = enumerators_.find(role); found != enumerators_.end()) {
      roles.push_back(own);
      for (const char* name : {"role", "role_"}) roles.back()[name] = found->second;
    }
  if (roles.empty()) roles.push_back(own);
  Value common;
  for (const Bindings& role : roles) {
    const Value value = Evaluation(*this, expression, types, role).run();
    if (!value || (common && *common != *value)) return {};
    common = value;
  }
  return common;
}

}  // namespace rankone
