// SPDX-License-Identifier: MIT
// Sums of log-decays whose differences keep their digits.
#pragma once

#include "device/common.cuh"
#include "device/math.cuh"

namespace rankone {

// A sum of base-2 logarithms as an exact whole part and a sum of what their rounding left: differences of two such sums
// keep their digits even where a reset lies before both, and weak decays, whose whole part is zero, keep all of theirs.
struct Exponent {
  float whole, fraction;

  RK_DEVICE void add(const Exponent& more) {
    whole += more.whole;
    fraction += more.fraction;
  }
  RK_DEVICE Exponent of_lane(int lane) const { return {shuffle(whole, lane), shuffle(fraction, lane)}; }
  // Of each group of neighbouring lanes, those up to the lane itself. Warp-wide, as the last one.
  template <int group> RK_DEVICE void accumulate() {
#pragma unroll
    for (int distance = 1; distance < group; distance *= 2) {
      const Exponent before{shuffle_up(whole, distance), shuffle_up(fraction, distance)};
      if (lane_index() % group >= distance) add(before);
    }
  }
};
RK_DEVICE Exponent exponent_of(float log2_decay) {
  const float whole = nearest(log2_decay);
  return {whole, log2_decay - whole};
}
RK_DEVICE float exp2_of_difference(const Exponent& a, const Exponent& b) {
  return exp2((a.whole - b.whole) + (a.fraction - b.fraction));
}

}  // namespace rankone
