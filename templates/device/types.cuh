// SPDX-License-Identifier: MIT
// 16-bit element types and conversions, without the toolkit's headers.
#pragma once

#include "device/common.cuh"

namespace rankone {

struct bf16 {
  unsigned short bits;
};
struct f16 {
  unsigned short bits;
};
struct alignas(8) Pair {
  float first, second;
};
struct alignas(16) Vector16 {
  unsigned word[4];
};  // one 16-byte access

#ifndef RANKONE_HOST
RK_DEVICE unsigned as_bits(float value) { return __float_as_uint(value); }
RK_DEVICE float as_float(unsigned bits) { return __uint_as_float(bits); }
RK_DEVICE float to_float(f16 value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
// Two floats in one word, `low` in its lower half, rounded to nearest even.
RK_DEVICE unsigned pack_bf16(float low, float high) {
  unsigned result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
}
RK_DEVICE unsigned pack_f16(float low, float high) {
  unsigned result;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
}
// sum + 0 word, half by half.
RK_DEVICE unsigned add_nothing_bf16(unsigned sum, unsigned word) {
  unsigned result;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(word), "r"(0u), "r"(sum));
  return result;
}
RK_DEVICE unsigned add_nothing_f16(unsigned sum, unsigned word) {
  unsigned result;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(word), "r"(0u), "r"(sum));
  return result;
}
// The larger of each two halves, unsigned. sm_90 and later.
RK_DEVICE unsigned larger_halves(unsigned a, unsigned b) {
  unsigned result;
  asm("max.u16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
  return result;
}
// float32 with a 10-bit mantissa, as the tensor cores read it; rounded to nearest.
RK_DEVICE unsigned to_tf32(float value) {
  unsigned result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(value));
  return result;
}
#endif

RK_DEVICE float to_float(bf16 value) { return as_float(static_cast<unsigned>(value.bits) << 16); }
RK_DEVICE float to_float(float value) { return value; }

template <class T> inline constexpr bool is_f16 = false;
template <> inline constexpr bool is_f16<f16> = true;

template <class T> struct Element;
template <> struct Element<bf16> {
  static RK_DEVICE bf16 from(float value) { return bf16{static_cast<unsigned short>(pack_bf16(value, 0.0f))}; }
  static constexpr unsigned infinity = 0x7f80, one = 0x3f80;
  static RK_DEVICE unsigned pack(float low, float high) { return pack_bf16(low, high); }
  static RK_DEVICE unsigned add_nothing(unsigned sum, unsigned word) { return add_nothing_bf16(sum, word); }
  static RK_DEVICE void unpack(unsigned word, float& low, float& high) {
    low = as_float(word << 16);
    high = as_float(word & 0xffff0000u);
  }
};
template <> struct Element<f16> {
  static RK_DEVICE f16 from(float value) { return f16{static_cast<unsigned short>(pack_f16(value, 0.0f))}; }
  static constexpr unsigned infinity = 0x7c00, one = 0x3c00;
  static RK_DEVICE unsigned pack(float low, float high) { return pack_f16(low, high); }
  static RK_DEVICE unsigned add_nothing(unsigned sum, unsigned word) { return add_nothing_f16(sum, word); }
  static RK_DEVICE void unpack(unsigned word, float& low, float& high) {
    low = to_float(f16{static_cast<unsigned short>(word)});
    high = to_float(f16{static_cast<unsigned short>(word >> 16)});
  }
};
template <> struct Element<float> {
  static RK_DEVICE float from(float value) { return value; }
};

RK_DEVICE bool is_finite(float x) { return (as_bits(x) & 0x7f800000u) != 0x7f800000u; }
RK_DEVICE float not_a_number() { return as_float(0x7fffffffu); }

// Zero where a half is infinite or no number.
template <class T> RK_DEVICE unsigned finite_halves(unsigned word) {
  constexpr unsigned low_infinity = Element<T>::infinity, high_infinity = low_infinity << 16;
  const unsigned low = (word & low_infinity) != low_infinity ? word & 0xffffu : 0u;
  return (word & high_infinity) != high_infinity ? low | (word & 0xffff0000u) : low;
}
// And one there, zero elsewhere.
template <class T> RK_DEVICE unsigned ones_of_spoilt(unsigned word) {
  constexpr unsigned low_infinity = Element<T>::infinity, high_infinity = low_infinity << 16;
  const unsigned low = (word & low_infinity) == low_infinity ? Element<T>::one : 0u;
  return (word & high_infinity) == high_infinity ? low | Element<T>::one << 16 : low;
}

// Whether any of many packed words holds something that is not finite: an instruction a word.
template <class T> struct SpoiltWords {
  unsigned sums[2] = {};
  int turn = 0;
  RK_DEVICE void add(unsigned word) {
    sums[turn] = Element<T>::add_nothing(sums[turn], word);
    turn ^= 1;
  }
  RK_DEVICE bool any() const { return ((sums[0] | sums[1]) & 0x7fff7fffu) != 0; }
};

}  // namespace rankone
