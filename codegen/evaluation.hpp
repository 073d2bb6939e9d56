// SPDX-License-Identifier: MIT
// Evaluates one expression of an emitted text.
#pragma once

#include "codegen/constants.hpp"

namespace rankone {

// Recursive descent over the tokens of an expression. A term that is not known makes the whole unknown, unless the rest
// decides: false && x.
class Evaluation {
 public:
  using Value = Constants::Value;
  using Bindings = Constants::Bindings;

  Evaluation(const Constants& constants, const Tokens& tokens, std::vector<std::string_view> types, Bindings bindings,
             std::set<std::string, std::less<>> pending = {})
      : constants_(constants), tokens_(tokens), types_(std::move(types)), bindings_(std::move(bindings)),
        pending_(std::move(pending)) {}

  Value run() {
    const Value value = conditional();
    return at_ == tokens_.size() ? value : Value{};
  }

 private:
  using Definition = Constants::Definition;
  // A name as it is written, but for the arguments of what stands before ::
  struct Path {
    std::vector<std::string_view> names;
    Tokens arguments;       // of the last name
    bool has_role = false;  // among the arguments of all
  };

  std::string_view peek() const { return at_ < tokens_.size() ? tokens_[at_].text : std::string_view(); }
  bool accept(std::string_view text) {
    if (peek() != text) return false;
    ++at_;
    return true;
  }
  Value conditional();
  Value binary(int level);
  Value unary();
  Value primary();
  Value size();
  Value element(std::string_view name) const;
  Value call(const Path& path);
  Value path_value(const Path& path);
  Value member(std::string_view name);
  Value of_all(std::string_view name);
  Value variable(std::string_view name, const Tokens& arguments);
  Value of(const Definition& definition, std::string_view name);
  Bindings roles() const;
  Path path();
  Tokens arguments();
  std::optional<std::string> type_name(const Tokens& type, int depth = 0) const;

  const Constants& constants_;
  const Tokens& tokens_;
  std::size_t at_ = 0;
  std::vector<std::string_view> types_;
  Bindings bindings_;
  std::set<std::string, std::less<>> pending_;  // names that are being evaluated
};

}  // namespace rankone
