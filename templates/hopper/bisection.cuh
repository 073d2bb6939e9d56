// SPDX-License-Identifier: MIT
// Sixteen tokens by halves of halves: where queries and keys meet for any decays between them.
#pragma once

#include "kernels/fragment.cuh"
#include "kernels/layout.cuh"

namespace rankone {

// Which tokens meet where, if 16 are halved, and the halves, and so on: a bit for each of a lane's elements,
// so many for each bisection. A block of 2 half tokens has its middle before the token whose `half` bit is set.
inline constexpr int bisection_levels = 4, lane_elements = 8;
struct Bisection {
  // As an operand's ones: from the middle to a query, itself included; from behind a key to the middle.
  unsigned between = 0;
  unsigned wanted = 0;  // of an accumulator: the query above the middle and the key below
  // Of all 16, as ones: up to a query, itself included, and lane_elements bits on, from behind a key.
  unsigned whole = 0;

  RK_DEVICE Bisection() {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < lane_elements; ++i) {
      const int row = lane.group + i / 2 % 2 * 8, token = i / 4 * 8 + 2 * lane.pair + i % 2;  // of an operand
      const int query = lane.group + i % 4 / 2 * 8;                                           // of an accumulator
      whole |= token <= row ? 1u << i : 1u << (lane_elements + i);
#pragma unroll
      for (int level = 0; level < bisection_levels; ++level) {
        const int half = sub_chunk / 2 >> level;
        if (((row ^ token) & -half) == 0 && ((row & half) != 0 ? token <= row : token > row))
          between |= 1u << (lane_elements * level + i);
        if ((query & half) != 0 && (token & half) == 0 && ((query ^ token) & ~(2 * half - 1)) == 0)
          wanted |= 1u << (lane_elements * level + i);
      }
    }
  }
  // For queries to which their own decays do not apply: a lane has two elements whose row is their token.
  RK_DEVICE Bisection without_own() const {
    constexpr unsigned of_every_level = 0x01010101u, first_of_both_halves = 1u | 1u << 6;
    const LanePlace lane = lane_place();
    const unsigned own = lane.pair == lane.group / 2 ? first_of_both_halves << lane.group % 2 : 0u;
    Bisection result = *this;
    result.between &= ~(own * of_every_level);
    result.whole &= ~own;
    return result;
  }
};

}  // namespace rankone
