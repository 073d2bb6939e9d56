// SPDX-License-Identifier: MIT
// Host forms of conversions and scalar functions, bit-exact where the instruction set defines the bits.
#pragma once

namespace rankone {

struct f16;

__device__ __forceinline__ unsigned as_bits(float value) { return __builtin_bit_cast(unsigned, value); }
__device__ __forceinline__ float as_float(unsigned bits) { return __builtin_bit_cast(float, bits); }

__device__ __forceinline__ float float_from_f16_bits(unsigned half) {
  const unsigned sign = (half & 0x8000u) << 16, magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) return as_float(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  // The bits as a float32 of exponent 2^-112 too low: the product restores it and normalizes subnormals.
  return as_float(sign | as_bits(as_float(magnitude << 13) * 0x1p112f));
}

// Round to nearest even; a NaN becomes the canonical one.
__device__ __forceinline__ unsigned bf16_bits(float value) {
  const unsigned bits = as_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
__device__ __forceinline__ unsigned f16_bits(float value) {
  const unsigned bits = as_bits(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7fffu;
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // 65520 and more round to infinity
  if (magnitude < 0x38800000u)  // subnormal: adding 0.5 aligns the last place at 2^-24 and rounds
    return sign | (as_bits(as_float(magnitude) + 0.5f) - 0x3f000000u);
  return sign | (((magnitude + 0xfffu + (magnitude >> 13 & 1u)) >> 13) - (112u << 10));
}

// Constrained, since `f16` is complete only after the device headers.
template <class T>
requires __is_same(T, f16) __device__ __forceinline__ float to_float(T value) {
  return float_from_f16_bits(value.bits);
}

__device__ __forceinline__ unsigned pack_bf16(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }
__device__ __forceinline__ unsigned pack_f16(float low, float high) { return f16_bits(low) | f16_bits(high) << 16; }
// 0 times what has all bits of `infinity` is no number, which stays one.
__device__ __forceinline__ unsigned add_nothing(unsigned sum, unsigned word, unsigned infinity) {
  const unsigned low = (word & infinity) == infinity ? 0x7fffu : sum & 0xffffu;
  return (word >> 16 & infinity) == infinity ? low | 0x7fff0000u : low | (sum & 0xffff0000u);
}
__device__ __forceinline__ unsigned add_nothing_bf16(unsigned sum, unsigned word) {
  return add_nothing(sum, word, 0x7f80u);
}
__device__ __forceinline__ unsigned add_nothing_f16(unsigned sum, unsigned word) {
  return add_nothing(sum, word, 0x7c00u);
}
__device__ __forceinline__ unsigned larger_halves(unsigned a, unsigned b) {
  const unsigned low_a = a & 0xffffu, low_b = b & 0xffffu, high_a = a >> 16, high_b = b >> 16;
  return (low_a > low_b ? low_a : low_b) | (high_a > high_b ? high_a : high_b) << 16;
}
// Round to nearest, ties away from zero.
__device__ __forceinline__ unsigned to_tf32(float value) {
  const unsigned bits = as_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffffffu;
  return (bits + 0x1000u) & ~0x1fffu;
}

// Subnormals become zero of the same sign, as the approximate instructions take and give them.
__device__ __forceinline__ float flushed(float x) {
  return (as_bits(x) & 0x7f800000u) == 0 ? as_float(as_bits(x) & 0x80000000u) : x;
}
__device__ __forceinline__ float exp2(float x) { return flushed(__builtin_exp2f(x)); }
__device__ __forceinline__ float log2_away_from_one(float x) { return __builtin_log2f(flushed(x)); }
__device__ __forceinline__ float nearest(float x) { return __builtin_rintf(x); }
__device__ __forceinline__ float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
__device__ __forceinline__ float sqrt(float x) { return __builtin_sqrtf(x); }
__device__ __forceinline__ float divide(float a, float b) { return a / b; }
__device__ __forceinline__ float reciprocal(float x) { return flushed(1.0f / flushed(x)); }
__device__ __forceinline__ float absolute(float x) { return __builtin_fabsf(x); }
__device__ __forceinline__ float minimum(float a, float b) { return a < b || a != a ? a : b; }
__device__ __forceinline__ float maximum(float a, float b) { return a > b || a != a ? a : b; }

}  // namespace rankone
