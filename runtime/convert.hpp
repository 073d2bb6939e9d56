// SPDX-License-Identifier: MIT
// Elements of every type to and from double, rounded once, to nearest even.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include <rankone/dtype.hpp>

namespace rankone {
namespace conversion {

// The nearest number with `mantissa` fraction bits and exponents in [lowest, highest]; past the range, infinity.
inline double round_to(double value, int mantissa, int lowest, int highest) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), lowest);
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(value, mantissa - exponent)), exponent - mantissa);
  return std::abs(rounded) < std::ldexp(1.0, highest + 1) ? rounded : std::copysign(HUGE_VAL, value);
}

inline std::uint16_t to_bf16(double value) {
  if (value != value) return 0x7fc0;
  const auto rounded = static_cast<float>(round_to(value, 7, -126, 127));
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(rounded) >> 16);
}
inline double from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

inline std::uint16_t to_f16(double value) {
  if (value != value) return 0x7e00;
  const double rounded = std::abs(round_to(value, 10, -14, 15));
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isinf(rounded)) return sign | 0x7c00;
  if (rounded < 0x1p-14) return sign | static_cast<std::uint16_t>(rounded * 0x1p24);  // subnormal: units of 2^-24
  const int exponent = std::ilogb(rounded);
  const auto fraction = static_cast<std::uint16_t>((std::ldexp(rounded, -exponent) - 1) * 1024);
  return static_cast<std::uint16_t>(sign | (exponent + 15) << 10 | fraction);
}
inline double from_f16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double magnitude = fraction * 0x1p-24;  // subnormal: units of 2^-24
  if (exponent == 31)
    magnitude = fraction != 0 ? NAN : HUGE_VAL;
  else if (exponent != 0)
    magnitude = std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

template <class T> T read(const void* data, std::int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}
template <class T> void write(void* data, std::int64_t index, T value) {
  std::memcpy(static_cast<char*>(data) + index * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
}

}  // namespace conversion

// Element `index` of an array.
inline double load(const void* data, dtype type, std::int64_t index) {
  switch (type) {
    case dtype::bf16: return conversion::from_bf16(conversion::read<std::uint16_t>(data, index));
    case dtype::f16: return conversion::from_f16(conversion::read<std::uint16_t>(data, index));
    case dtype::f32: return conversion::read<float>(data, index);
    case dtype::f64: return conversion::read<double>(data, index);
    case dtype::i32: return conversion::read<std::int32_t>(data, index);
    case dtype::i64: return static_cast<double>(conversion::read<std::int64_t>(data, index));
  }
  return NAN;
}

inline void store(void* data, dtype type, std::int64_t index, double value) {
  switch (type) {
    case dtype::bf16: return conversion::write(data, index, conversion::to_bf16(value));
    case dtype::f16: return conversion::write(data, index, conversion::to_f16(value));
    case dtype::f32: return conversion::write(data, index, static_cast<float>(value));
    case dtype::f64: return conversion::write(data, index, value);
    case dtype::i32: return conversion::write(data, index, static_cast<std::int32_t>(value));
    case dtype::i64: return conversion::write(data, index, static_cast<std::int64_t>(value));
  }
}

}  // namespace rankone
