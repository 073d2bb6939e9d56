// SPDX-License-Identifier: MIT
// A tensor of a call, as whoever checks accesses to global memory needs to know it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <rankone/tensor.hpp>

namespace rankone {

struct CallTensor {
  std::string name;
  const void* data = nullptr;
  std::array<std::int64_t, max_rank> sizes{1, 1, 1, 1, 1};  // the first dimension first
  std::array<std::int64_t, max_rank> strides{};             // in elements
  int rank = 1;
  int element_bytes = 4;
  bool writable = false;     // by kernels
  bool initialized = true;   // before the first kernel of the call
  std::size_t argument = 0;  // bytes from the start of Arguments to the pointer
};

}  // namespace rankone
