// SPDX-License-Identifier: MIT
// The sizes of one call, found in its tensors; whatever does not fit them is refused.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone::recurrence {

struct Span {
  std::int64_t batch, begin, end;  // tokens [begin, end) of a batch row
  std::int64_t position;           // of the first
};

struct Sizes {
  std::int64_t batch = 0, tokens = 0, heads = 0, value_heads = 0, key_dim = 0, value_dim = 0;
  std::vector<Span> sequences;
};

Sizes bind(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments);

// The tensor or scalar of this name, or null.
const Tensor* find(const std::vector<NamedTensor>& tensors, std::string_view name);
const NamedScalar* find(const std::vector<NamedScalar>& scalars, std::string_view name);

}  // namespace rankone::recurrence
