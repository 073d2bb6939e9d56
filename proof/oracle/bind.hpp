// SPDX-License-Identifier: MIT
// The sizes of one call, found in its tensors; whatever does not fit them is refused.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

#include "codegen/ports.hpp"

namespace rankone::recurrence {

struct Span {
  std::int64_t batch, begin, end;  // tokens [begin, end) of a batch row
  std::int64_t position;           // of the first
};

struct Sizes {
  std::int64_t batch = 0, tokens = 0, heads = 0, value_heads = 0;
  std::int64_t key_dim = 0, features = 0, value_dim = 0;  // K, F, V
  std::int64_t slot_dim = -1;                             // M of a chain
  std::int64_t steps = 1;                                 // of a token
  std::int64_t key_tokens = 0;                            // of a non-causal variant; of others T
  std::vector<Span> sequences, keys{};  // tokens of each; of a non-causal variant its queries, and its keys
  std::vector<std::int64_t> order{};    // of a permuted variant: the token that stands at each place of a row
};

Sizes bind(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments);
Sizes bind(const Variant& variant, const CompileOptions& options, const BackwardArguments& arguments);

std::vector<std::int64_t> shape_of(const Port& port, const Sizes& sizes);

// Multiplications of one product with every state.
inline double operations(const Sizes& sizes) {
  const auto size = [](std::int64_t each) { return static_cast<double>(each); };
  return size(sizes.batch) * size(std::max(sizes.tokens, sizes.key_tokens)) * size(sizes.value_heads) *
         size(sizes.features) * size(sizes.value_dim);
}

// The tensor or scalar of this name, or null.
const Tensor* find(std::span<const NamedTensor> tensors, std::string_view name);
const NamedScalar* find(std::span<const NamedScalar> scalars, std::string_view name);

}  // namespace rankone::recurrence
