// SPDX-License-Identifier: MIT
// A variant as `show` and `list` present it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

#include "tools/json.hpp"

namespace rankone {

Json variant_document(const Variant& variant, const CompileOptions& options, Pass pass = Pass::forward);
std::string chunk_form(const Variant& variant);  // how a chunk of tokens becomes matrix products

// d gate / d input, elementwise, for each tensor that the gate reads. `shared` is what stands in them more than once, by
// name; an entry's own text begins with what it needs of that.
struct GateGradients {
  struct Entry {
    std::string input, gradient, whole;
  };
  std::string gate;
  std::vector<std::pair<std::string, std::string>> shared{};
  std::vector<Entry> entries{};
};
std::vector<GateGradients> gate_gradients(const Variant& variant);

}  // namespace rankone
