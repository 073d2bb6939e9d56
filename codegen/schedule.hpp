// SPDX-License-Identifier: MIT
// How a variant is computed: everything that changes speed but not the result's meaning.
#pragma once

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

namespace rankone {

struct Schedule {
  Family family = Family::portable;
  Level level = Level::serial;
  int chunk = 64;       // tokens that are staged together. portable: a multiple of 16, 16 to 128; hopper: 32 or 64
  int value_tile = 64;  // columns of the state a block owns. portable: a multiple of 16; hopper: 64 or 128
  int warps = 4;        // portable: value_tile / warps is 32 or 16 columns of the state a warp, or 8: half of them only
                        // help; hopper: follows from the value tile
  int stages = 2;       // chunks in flight in shared memory. portable: 1 or 2; hopper: 2 to 6
  int cluster = 1;      // hopper, per key: blocks of neighbouring value tiles that share the work on keys, 1 or 2
  bool prepared = false;  // hopper, per key: a kernel of its own does the work on keys, for all value tiles
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

}  // namespace rankone
