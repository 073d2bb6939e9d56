// SPDX-License-Identifier: MIT
// Where a formula may leave the domain of a division, a logarithm or a root, and what keeps it inside.
#pragma once

#include <string>
#include <vector>

#include <rankone/dsl/variant.hpp>

namespace rankone {

struct MissingGuard {
  Formula formula;
  Stage stage;            // the pass of a chain that it is of
  std::string operation;  // as it stands: "log(x - 1)"
  std::string reason;     // "x - 1 may be below 0"
  std::string guard;      // what to write instead: "log(max(x - 1, 0))"
};
// Whatever finite numbers tensors and scalars hold. A variant with some is legal: who knows more of the inputs needs none.
std::vector<MissingGuard> missing_guards(const Variant& variant);

}  // namespace rankone
