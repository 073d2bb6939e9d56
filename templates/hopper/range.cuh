// SPDX-License-Identifier: MIT
// Powers of two that keep float16 in range. It ends at 65504 and loses digits below 2^-14: what is rounded to it is
// first divided by a power of two, which float32 multiplies back where it multiplies anyway.
//
//   the state               S = values 2^unit; as an operand S / 2^read; each warp has its own
//   v times weights         in units of the state, which follow them
//   queries, keys per key   a query by its largest element, keys by their span's: key_range.cuh
//   scores                  of a query, by their largest, or per key by q's and k's
#pragma once

#include "device/math.cuh"
#include "device/types.cuh"

namespace rankone {

// Enough for any float16 tensor and any state or write scale that float16 outputs show, and so few that no two leave
// float32.
inline constexpr int scale_log2_limit = 60;

// What is scaled has its largest below 2^15, half of what float16 has, and from 2^8 on: what is 2^-20 of it is rounded by
// 2^-13 of itself. Where a scale is found anew the largest comes below 2^12, with room to grow and to shrink.
inline constexpr int f16_least_log2 = 8, f16_goal_log2 = 12, f16_most_log2 = 15;
// Float16 in bits: 10 of the fraction, exponents from 2^-14 on, then infinity; and that least of the scaled ones.
inline constexpr int f16_fraction_bits = 10, f16_normal_log2 = -14;
inline constexpr unsigned f16_infinity_bits = 0x7c00u, f16_least_bits = (f16_least_log2 - f16_normal_log2 + 1)
                                                                        << f16_fraction_bits;
inline constexpr int f32_fraction_bits = 23, f32_bias = 127;

// `exponent` from -126 to 127.
RK_DEVICE float power_of_two(int exponent) {
  return as_float(static_cast<unsigned>(exponent + f32_bias) << f32_fraction_bits);
}
RK_DEVICE int clamp_exponent(int value, int least, int most) {
  return value < least ? least : value > most ? most : value;
}

// Of four neighbouring lanes, which have a row of an operand or an accumulator together.
RK_DEVICE unsigned largest_of_quad(unsigned value) {
#pragma unroll
  for (int mask = 1; mask < 4; mask *= 2) {
    const unsigned other = as_bits(shuffle_xor(as_float(value), mask));
    value = other > value ? other : value;
  }
  return value;
}

// The largest finite magnitude: what is not finite must not drown its neighbours.
struct LargestFinite {
  // Takes infinity and NaN, sign gone, around to below zero.
  static constexpr int past_infinity = 1 << f32_fraction_bits;
  static constexpr int of_zero = 1 - f32_bias;  // its exponent(), and that of all below 2^-126
  int moved = past_infinity;
  // Doubling the bits would take the sign away, too, but ptxas 13.0 multiplies the factors' bits where x is a product.
  RK_DEVICE void add(float x) {
    const int next = static_cast<int>((as_bits(x) & 0x7fffffffu) + past_infinity);
    if (next > moved) moved = next;
  }
  // The exponent of a power of two above all that the warp has seen.
  RK_DEVICE int exponent() const { return exponent_of(largest_of_warp(static_cast<unsigned>(moved))); }
  // And of what four neighbouring lanes have.
  RK_DEVICE int exponent_of_quad() const { return exponent_of(largest_of_quad(static_cast<unsigned>(moved))); }

 private:
  static RK_DEVICE int exponent_of(unsigned largest) {
    return static_cast<int>((largest - past_infinity) >> f32_fraction_bits) + of_zero;
  }
};

// The largest of packed float16 magnitudes: as integers they have the same order, infinity and NaN above all others.
struct LargestPacked {
  unsigned halves = 0;
  RK_DEVICE void add(unsigned word) { halves = larger_halves(halves, word & 0x7fff7fffu); }
  RK_DEVICE unsigned of_lane() const {
    const unsigned low = halves & 0xffffu, high = halves >> 16;
    return low > high ? low : high;
  }
  RK_DEVICE unsigned of_warp() const { return largest_of_warp(of_lane()); }
  RK_DEVICE unsigned of_quad() const { return largest_of_quad(of_lane()); }
  // Whether the warp's largest lies from 2^8 to 65504.
  RK_DEVICE bool fits() const {
    const unsigned largest = of_warp();
    return largest >= f16_least_bits && largest < f16_infinity_bits;
  }
};

// Calls pack(factor, largest) with the factor 2^-exponent. Where the result does not fit, which is rare, the exponent
// follows the largest of what each(largest) tells, and all is packed once more. Warp-wide.
template <class Pack, class Each>
RK_DEVICE void pack_in_range(int& exponent, int least, int most, const Pack& pack, const Each& each) {
#pragma unroll 1
  for (;;) {
    LargestPacked packed;
    pack(power_of_two(-exponent), packed);
    if (packed.fits()) return;
    LargestFinite largest;
    each(largest);
    const int above = largest.exponent(), wanted = clamp_exponent(above - f16_goal_log2, least, most);
    if (above == LargestFinite::of_zero || wanted == exponent) return;
    exponent = wanted;
  }
}

}  // namespace rankone
