// SPDX-License-Identifier: MIT
// How a variant is computed: everything that changes speed but not the result's meaning.
#pragma once

#include <rankone/dsl/variant.hpp>

namespace rankone {

enum class Family : unsigned char { portable };

struct Schedule {
  Family family = Family::portable;
  Level level = Level::serial;
  int chunk = 64;        // tokens a step: a multiple of 16, 16 to 128
  int value_tile = 64;   // columns of the state a block owns: a multiple of 16
  int warps = 4;         // value_tile / warps is 32 or 16 columns of the state a warp, or 8: half of them only help
  int stages = 2;        // chunks in flight in shared memory, 1 or 2
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

}  // namespace rankone
