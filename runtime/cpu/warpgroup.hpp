// SPDX-License-Identifier: MIT
// What a warpgroup has under way: products that read shared memory on their own time, and the accumulators they hold.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "templates/host/interface.hpp"

namespace rankone {

inline constexpr int warpgroup_threads = 128, product_rows = 64, product_steps = 16, max_product_columns = 64;

enum class Word : unsigned char;

// From the first product that is issued on them to the wait that covers the last; the kernel sees NaN meanwhile.
struct Accumulators {
  std::array<float*, warpgroup_threads> c{};
  int n = 0;
  int last_group = -1;                                            // -1: none holds this slot
  std::array<float, product_rows * max_product_columns> value{};  // n to a row
};

struct AsyncProduct {
  HostWarpgroupProduct what{};
  int accumulators = 0, group = 0, line = 0;
  std::uint32_t time = 0;
  bool done = false;
  std::array<float, product_rows * product_steps> a{};  // of an operand in registers, read at the issue
};

struct Warpgroup {
  int arrived = 0;  // warps at the present rendezvous, and which it is
  Word word{};
  int line = 0;
  bool fenced = false;
  int group = 0;  // of the products issued next
  std::vector<AsyncProduct> products;
  std::vector<Accumulators> accumulators;

  void begin() {
    arrived = group = 0;
    fenced = false;
    products.clear();
    for (Accumulators& each : accumulators) each.last_group = -1;
  }
};

}  // namespace rankone
