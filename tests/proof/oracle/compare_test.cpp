// SPDX-License-Identifier: MIT
// Relative errors, by hand.
#include <gtest/gtest.h>

#include <cmath>

#include <rankone/error.hpp>

#include "proof/oracle/compare.hpp"
#include "runtime/convert.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

Comparison compared(std::vector<std::int64_t> shape, std::vector<double> result, std::vector<double> reference,
                    double bound) {
  Array x(shape, std::move(result)), r(shape, std::move(reference));
  return compare(x.tensor(), r.tensor(), bound);
}

TEST(Compare, RatioOfNorms) {
  const Comparison comparison = compared({2, 2}, {3, 4, 0, 1}, {3, 4, 0, 0}, 0.21);
  EXPECT_DOUBLE_EQ(comparison.relative_error, 0.2);
  EXPECT_DOUBLE_EQ(comparison.worst_row, 1 / std::sqrt(12.5));  // the row is zero: the RMS row norm, 5 / sqrt(2)
  EXPECT_EQ(comparison.worst_index, 1);
  EXPECT_TRUE(comparison.ok);
  EXPECT_FALSE(compared({2, 2}, {3, 4, 0, 1}, {3, 4, 0, 0}, 0.19).ok);
}

TEST(Compare, OneBadRowFailsWhateverTheRest) {
  std::vector<double> reference(1000, 1.0), result = reference;
  result[700] = 1.06;
  EXPECT_LT(compared({1000, 1}, result, reference, 0.01).relative_error, 0.01);
  EXPECT_FALSE(compared({1000, 1}, result, reference, 0.01).ok);
  EXPECT_EQ(compared({1000, 1}, result, reference, 0.01).worst_index, 700);
  result[700] = 1.04;
  EXPECT_TRUE(compared({1000, 1}, result, reference, 0.01).ok);
}

TEST(Compare, ALargeRowIsMeasuredByItsOwnNorm) {
  EXPECT_NEAR(compared({2, 1}, {102, 1}, {100, 1}, 0.02).worst_row, 0.02, 1e-15);
}

TEST(Compare, NothingIsSmallerThanTheFloor) {
  EXPECT_DOUBLE_EQ(compared({4, 1}, {1e-9, 0, 0, 0}, {0, 0, 0, 0}, 1).relative_error, 1e-9 / (1e-6 * 2));
  EXPECT_TRUE(compared({4, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, 1e-9).ok);
}

TEST(Compare, WhatATypeCannotHoldIsInfiniteThere) {
  const std::vector<double> reference = {1e6, -1e6, 60000, 2};
  const auto ok = [&](std::initializer_list<double> result) {
    std::vector<std::uint16_t> halves(4);
    std::int64_t i = 0;
    for (const double each : result) store(halves.data(), dtype::f16, i++, each);
    Array expected({4, 1}, reference);
    return compare(Tensor(halves.data(), dtype::f16, {4, 1}), expected.tensor(), 1e-3).ok;
  };
  EXPECT_TRUE(ok({HUGE_VAL, -HUGE_VAL, 60000, 2}));
  EXPECT_FALSE(ok({HUGE_VAL, HUGE_VAL, 60000, 2})) << "the other infinity";
  EXPECT_FALSE(ok({65504, -HUGE_VAL, 60000, 2})) << "the largest number";
  EXPECT_FALSE(ok({HUGE_VAL, -HUGE_VAL, HUGE_VAL, 2})) << "of what the type can hold";
  EXPECT_FALSE(ok({HUGE_VAL, -HUGE_VAL, 50000, 2})) << "what is finite is measured against what is finite";
}

// As the running maximum of no writes is.
TEST(Compare, TheLogarithmOfNothingIsMinusInfinity) {
  const double nothing = -HUGE_VAL;
  EXPECT_TRUE(compared({2, 2}, {nothing, 1, 2, 3}, {nothing, 1, 2, 3}, 1e-3).ok);
  EXPECT_FALSE(compared({2, 2}, {nothing, 1, 2, 3}, {0, 1, 2, 3}, 1e-3).ok);
  EXPECT_FALSE(compared({2, 2}, {-1e300, 1, 2, 3}, {nothing, 1, 2, 3}, 1e-3).ok);
  EXPECT_FALSE(compared({2, 2}, {nothing, 1, 2, 4}, {nothing, 1, 2, 3}, 1e-3).ok) << "other elements count";
}

TEST(Compare, ANaNFailsWhereverItStands) {
  for (std::size_t i = 0; i < 6; ++i)
    for (const double bad : {std::nan(""), HUGE_VAL}) {
      std::vector<double> result(6, 1.0);
      result[i] = bad;
      EXPECT_FALSE(compared({3, 2}, result, std::vector<double>(6, 1.0), 1e9).ok) << i;
      EXPECT_FALSE(compared({3, 2}, result, result, 1e9).ok) << i;
      EXPECT_EQ(compared({3, 2}, result, std::vector<double>(6, 1.0), 1e9).worst_index,
                static_cast<std::int64_t>(i / 2));
    }
}

// One element near 0 says nothing of the kernel; with others it is one of many.
TEST(Compare, DrawsOfOneShapeArePooled) {
  Array near({1, 1}, {0.02}), far({1, 1}, {100.1}), zero({1, 1}, {0.01}), hundred({1, 1}, {100});
  EXPECT_FALSE(compare(near.tensor(), zero.tensor(), 0.01).ok);
  const Comparison both = compare({{near.tensor(), zero.tensor()}, {far.tensor(), hundred.tensor()}}, 0.01);
  EXPECT_TRUE(both.ok);
  EXPECT_NEAR(both.relative_error, std::hypot(0.01, 0.1) / 100, 1e-8);

  // One element in 64 is off by half the typical one: by itself far out of the bound, as a part of 16 neighbours not.
  Array reference({64, 1}, std::vector<double>(64, 1.0)), result({64, 1}, std::vector<double>(64, 1.0));
  result.values[40] = 1.5;
  EXPECT_FALSE(compare(result.tensor(), reference.tensor(), 0.07).ok);
  EXPECT_FALSE(compare({{result.tensor(), reference.tensor()}}, 0.07).ok) << "a single draw is judged row by row";
  const std::vector<Compared> two = {{result.tensor(), reference.tensor()}, {reference.tensor(), reference.tensor()}};
  const Comparison pooled = compare(two, 0.07);
  EXPECT_TRUE(pooled.ok);
  EXPECT_DOUBLE_EQ(pooled.worst_row, 0.125);
  EXPECT_EQ(pooled.worst_index, 32);
  EXPECT_FALSE(compare(two, 0.02).ok);

  try {
    (void)compare(near.tensor(), Array({2, 1}, {1, 2}).tensor(), 1);
    ADD_FAILURE() << "different shapes are accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.given(), "[1, 1] and [2, 1]");
    EXPECT_EQ(error.accepted(), "one shape");
  }
}

TEST(Compare, StridesTypesAndShapes) {
  std::vector<float> memory = {1, 2, 3, 4, 5, 6};
  Array reference({3, 2}, {1, 4, 2, 5, 3, 6});
  EXPECT_EQ(compare(Tensor(memory.data(), dtype::f32, {3, 2}, {1, 3}), reference.tensor(), 0).relative_error, 0);
  EXPECT_THROW((void)compare(Tensor(memory.data(), dtype::f32, {2, 3}), reference.tensor(), 0), Error);
  EXPECT_TRUE(compared({0, 2}, {}, {}, 0).ok);
}

}  // namespace
