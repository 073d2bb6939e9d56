// SPDX-License-Identifier: MIT
// Checks what compile options say of sizes and types.
#include <algorithm>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/chain.hpp"
#include "codegen/names.hpp"
#include "codegen/space.hpp"

namespace rankone {
namespace {

void check_range(const char* name, int value, int most, const std::string& where) {
  if (value < 1 || value > most)
    throw Error(ErrorCode::invalid_argument, std::string(name) + " is out of range",
                std::string(name) + " = " + std::to_string(value), "1 to " + std::to_string(most), where);
}

void check_type(const std::string& name, dtype type, const std::string& where) {
  if (name_in(storage_type_names, type) == unnamed)
    throw Error(ErrorCode::invalid_argument, "'" + name + "' cannot have this type", name_of(type),
                list_of(storage_type_names), where);
}

}  // namespace

void check_options(const Variant& variant, const CompileOptions& options) {
  const std::string where(variant.name.view());
  check_range("K", options.key_dim, max_key_dim, where);
  check_range("V", options.value_dim, max_value_dim, where);
  if (variant.chains_)
    check_range("M", slots_of(options), max_key_dim, where);
  else if (options.slot_dim != 0)
    throw Error(ErrorCode::invalid_argument, "slots stand between the passes of a chain, and this variant has one pass",
                "M = " + std::to_string(options.slot_dim), "no M", where);
  if (const std::int64_t features = feature_dim(variant, options.key_dim); features > max_features)
    throw Error(ErrorCode::invalid_argument, "the feature map makes too many features of a key",
                "F = " + std::to_string(features) + " at K = " + std::to_string(options.key_dim),
                "F of at most " + std::to_string(max_features) + ", of a smaller K", where);
  check_type("q, k, v and o", options.dtype, where);
  check_type("states", options.state_dtype, where);
  if (name_in(precision_names, options.precision) == unnamed)
    throw Error(ErrorCode::invalid_argument, "an unknown precision",
                std::to_string(static_cast<int>(options.precision)), list_of(precision_names), where);
  if (options.precision == Precision::f32 && options.dtype != dtype::f32)
    throw Error(ErrorCode::invalid_argument, "precision f32 is for f32 tensors", name_of(options.dtype),
                "dtype f32, or precision tf32", where);
  const Leaves inputs = inputs_of(variant), parameters = parameters_of(variant);
  for (const auto& [name, type] : options.input_types) {
    if (inputs.index_of(name) < 0 && parameters.index_of(name) < 0) {
      std::string accepted;
      for (const Leaves* leaves : {&inputs, &parameters})
        for (const Leaf& leaf : *leaves) accepted += (accepted.empty() ? "" : ", ") + std::string(leaf.name.view());
      throw Error(ErrorCode::invalid_argument, "a type is given for a tensor that the variant does not read",
                  "'" + name + "'", accepted.empty() ? "none: it reads q, k and v alone" : accepted, where);
    }
    check_type(name, type, where);
    const auto same = [&, &each = name](const auto& other) { return other.first == each; };
    if (std::ranges::count_if(options.input_types, same) != 1)
      throw Error(ErrorCode::invalid_argument, "two types are given for one tensor", "'" + name + "' twice",
                  "each name once", where);
  }
}

}  // namespace rankone
