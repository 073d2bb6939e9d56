// SPDX-License-Identifier: MIT
// Every variant that ships, by name.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <rankone/dsl/variants/gated_retention.hpp>
#include <rankone/dsl/variants/gla.hpp>
#include <rankone/dsl/variants/gla_sigmoid.hpp>
#include <rankone/dsl/variants/hgrn2.hpp>
#include <rankone/dsl/variants/lightning.hpp>
#include <rankone/dsl/variants/linear.hpp>
#include <rankone/dsl/variants/mamba2.hpp>
#include <rankone/dsl/variants/retnet.hpp>
#include <rankone/dsl/variants/simple_gla.hpp>

namespace rankone {

namespace variants {
inline constexpr std::array all{linear, retnet,      lightning, gated_retention, simple_gla, mamba2,
                                gla,    gla_sigmoid, hgrn2};
}

// In the order of what they add: no decay, constant, per head, per key.
constexpr const auto& catalogue() { return variants::all; }

// Null where there is no such variant.
constexpr const Variant* find_variant(std::string_view name) {
  for (const Variant& entry : catalogue())
    if (entry.name.view() == name) return &entry;
  return nullptr;
}

// Throws Error(not_found) with the names that there are.
inline const Variant& variant_named(std::string_view name) {
  if (const Variant* found = find_variant(name)) return *found;
  std::string accepted;
  for (const Variant& entry : catalogue()) accepted += (accepted.empty() ? "" : ", ") + std::string(entry.name.view());
  throw Error(ErrorCode::not_found, "there is no variant of this name", std::string(name), accepted, "catalogue");
}

}  // namespace rankone
