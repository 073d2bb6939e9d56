// SPDX-License-Identifier: MIT
// Conversions, over every 16-bit pattern and every rounding boundary.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/convert.hpp"

using namespace rankone;

namespace {

double value_of(dtype type, std::uint16_t pattern) {
  const std::uint16_t bits[4] = {pattern};
  return load(bits, type, 0);
}
std::uint16_t bits_of(dtype type, double value) {
  std::uint16_t bits[4] = {};  // room for the largest type
  store(bits, type, 0, value);
  return bits[0];
}

TEST(Convert, KnownPatterns) {
  EXPECT_EQ(value_of(dtype::f16, 0x3c00), 1);
  EXPECT_EQ(value_of(dtype::f16, 0xc100), -2.5);
  EXPECT_EQ(value_of(dtype::f16, 0x7bff), 65504);
  EXPECT_EQ(value_of(dtype::f16, 0x0001), 0x1p-24);
  EXPECT_EQ(value_of(dtype::bf16, 0x3f80), 1);
  EXPECT_EQ(value_of(dtype::bf16, 0xc020), -2.5);
  EXPECT_EQ(value_of(dtype::bf16, 0x0001), 0x1p-133);
  for (const dtype type : {dtype::f16, dtype::bf16}) {
    EXPECT_TRUE(std::isnan(value_of(type, bits_of(type, std::numeric_limits<double>::quiet_NaN()))));
    EXPECT_EQ(value_of(type, bits_of(type, HUGE_VAL)), HUGE_VAL);
    EXPECT_EQ(value_of(type, bits_of(type, -1e300)), -HUGE_VAL);
    EXPECT_EQ(bits_of(type, -1e-300), 0x8000);
  }
}

TEST(Convert, EveryPatternSurvivesARoundTrip) {
  for (const dtype type : {dtype::f16, dtype::bf16})
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
      const double value = value_of(type, static_cast<std::uint16_t>(bits));
      if (std::isnan(value)) continue;
      ASSERT_EQ(bits_of(type, value), bits) << name_of(type);
    }
}

TEST(Convert, RoundsToNearestEvenAndOnce) {
  for (const dtype type : {dtype::f16, dtype::bf16}) {
    const std::uint16_t infinity = bits_of(type, HUGE_VAL);
    for (std::uint16_t bits = 0; bits + 1 < infinity; ++bits) {
      const double low = value_of(type, bits), high = value_of(type, static_cast<std::uint16_t>(bits + 1));
      const double middle = (low + high) / 2;
      const std::uint16_t even = bits % 2 == 0 ? bits : static_cast<std::uint16_t>(bits + 1);
      ASSERT_EQ(bits_of(type, middle), even) << name_of(type) << " " << low;
      // So close to the middle that float32 cannot tell: rounding twice would go wrong here.
      ASSERT_EQ(bits_of(type, std::nextafter(middle, 0)), bits) << name_of(type) << " " << low;
      ASSERT_EQ(bits_of(type, std::nextafter(middle, HUGE_VAL)), bits + 1) << name_of(type) << " " << low;
    }
    // Half a unit past the largest number is infinity already.
    const double largest = value_of(type, static_cast<std::uint16_t>(infinity - 1));
    const double unit = largest - value_of(type, static_cast<std::uint16_t>(infinity - 2));
    EXPECT_EQ(bits_of(type, std::nextafter(largest + unit / 2, 0)), infinity - 1);
    EXPECT_EQ(bits_of(type, largest + unit / 2), infinity);
  }
}

TEST(Convert, OtherTypes) {
  float single[2] = {1.5f, 0};
  EXPECT_EQ(load(single, dtype::f32, 0), 1.5);
  store(single, dtype::f32, 1, 0.1);
  EXPECT_EQ(single[1], 0.1f);
  std::int32_t integer[2] = {-7, 0};
  EXPECT_EQ(load(integer, dtype::i32, 0), -7);
  store(integer, dtype::i32, 1, 9);
  EXPECT_EQ(integer[1], 9);
  const std::int64_t large = std::int64_t{1} << 40;
  EXPECT_EQ(load(&large, dtype::i64, 0), 0x1p40);
}

}  // namespace
