// SPDX-License-Identifier: MIT
// What the constants of an emitted text are worth: of its policy, and what its templates derive from it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/tokens.hpp"

namespace rankone {

// Read from the text itself, so that what follows from a policy is said in templates alone. Integers, truth values and
// enumerators, and functions that only return; what is anything else, depends on a template's own parameters or differs
// between the roles of the text's kernels is not known.
class Constants {
 public:
  using Value = std::optional<long long>;
  using Bindings = std::map<std::string_view, long long>;

  explicit Constants(const std::vector<std::string_view>& texts);

  // Of an expression in a member function of these types, the innermost last, that has such constants of its own.
  Value value(const Tokens& expression, const std::vector<std::string_view>& types, const Bindings& own) const;

 private:
  friend class ConstantReader;
  friend class Evaluation;

  struct Definition {
    std::string_view type;  // that it is a member of; empty: of the namespace
    Tokens initializer;
  };
  struct Function {
    std::vector<std::string_view> parameters;
    Tokens result;
  };
  std::multimap<std::string, Definition, std::less<>> constants_;  // of a specialization: "is_f16<f16>"
  std::multimap<std::string, Definition, std::less<>> aliases_;    // `using`, of types
  std::map<std::string, long long, std::less<>> enumerators_;      // of an enum class: "Role::scan"
  std::map<std::string, Function, std::less<>> functions_;
  std::set<std::pair<std::string_view, std::string_view>> hidden_;  // by names of functions: type and name
  std::vector<std::string> roles_;                                  // that kernels are called in: "Role::scan"
};

// The type whose body each `{` opens, of those that open one; namespaces are empty names.
std::map<std::size_t, std::string_view> bodies_of(const Tokens& tokens);

}  // namespace rankone
