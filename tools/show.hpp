// SPDX-License-Identifier: MIT
// A variant as `show` and `list` present it.
#pragma once

#include <string>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

#include "tools/json.hpp"

namespace rankone {

Json variant_document(const Variant& variant, const CompileOptions& options);
std::string chunk_form(const Variant& variant);  // how a chunk of tokens becomes matrix products

struct GateGradient {
  std::string gate, input, derivative;  // d gate / d input, elementwise
};
std::vector<GateGradient> gate_gradients(const Variant& variant);

}  // namespace rankone
