// SPDX-License-Identifier: MIT
// Every variant that ships, by name.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <rankone/dsl/variants/comba.hpp>
#include <rankone/dsl/variants/delta.hpp>
#include <rankone/dsl/variants/dfw.hpp>
#include <rankone/dsl/variants/dplr.hpp>
#include <rankone/dsl/variants/gated_delta.hpp>
#include <rankone/dsl/variants/gated_retention.hpp>
#include <rankone/dsl/variants/gdn2.hpp>
#include <rankone/dsl/variants/gla.hpp>
#include <rankone/dsl/variants/gla_sigmoid.hpp>
#include <rankone/dsl/variants/hgrn2.hpp>
#include <rankone/dsl/variants/iplr.hpp>
#include <rankone/dsl/variants/kda.hpp>
#include <rankone/dsl/variants/lightning.hpp>
#include <rankone/dsl/variants/linear.hpp>
#include <rankone/dsl/variants/mamba1.hpp>
#include <rankone/dsl/variants/mamba2.hpp>
#include <rankone/dsl/variants/retnet.hpp>
#include <rankone/dsl/variants/rodimus.hpp>
#include <rankone/dsl/variants/rwkv5.hpp>
#include <rankone/dsl/variants/rwkv6.hpp>
#include <rankone/dsl/variants/rwkv7.hpp>
#include <rankone/dsl/variants/simple_gla.hpp>

namespace rankone {

namespace variants {
inline constexpr std::array all{linear, retnet,  lightning, gated_retention, simple_gla, mamba2, gla,   gla_sigmoid,
                                hgrn2,  rodimus, rwkv5,     rwkv6,           dfw,        mamba1, delta, gated_delta,
                                comba,  kda,     gdn2,      rwkv7,           dplr,       iplr};
}

// In the order of what they add: no decay, constant, per head, per key, other reads and axes, erasures.
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
