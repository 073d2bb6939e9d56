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
  static RK_DEVICE unsigned pack(float low, float high) { return pack_bf16(low, high); }
  static RK_DEVICE void unpack(unsigned word, float& low, float& high) {
    low = as_float(word << 16);
    high = as_float(word & 0xffff0000u);
  }
};
template <> struct Element<f16> {
  static RK_DEVICE f16 from(float value) { return f16{static_cast<unsigned short>(pack_f16(value, 0.0f))}; }
  static RK_DEVICE unsigned pack(float low, float high) { return pack_f16(low, high); }
  static RK_DEVICE void unpack(unsigned word, float& low, float& high) {
    low = to_float(f16{static_cast<unsigned short>(word)});
    high = to_float(f16{static_cast<unsigned short>(word >> 16)});
  }
};
template <> struct Element<float> {
  static RK_DEVICE float from(float value) { return value; }
};

}  // namespace rankone
