// SPDX-License-Identifier: MIT
// A tensor as copies of whole boxes see it.
#pragma once

#include <array>
#include <cstdint>

namespace rankone {

// A tensor, the contiguous dimension first, and its box: one row of 128 bytes for each of so many tokens.
struct MappedTensor {
  const void* base = nullptr;
  std::array<std::int64_t, 4> sizes{};    // columns, tokens, heads, rows of the batch
  std::array<std::int64_t, 3> strides{};  // in bytes, of all but the columns
  int element_bytes = 0;
  int box_tokens = 0;

  static constexpr int row_bytes = 128;
  int box_columns() const { return row_bytes / element_bytes; }
};

// Whether a map can describe the tensor; a stride that is never taken becomes one that can.
bool can_be_mapped(MappedTensor& tensor);

}  // namespace rankone
