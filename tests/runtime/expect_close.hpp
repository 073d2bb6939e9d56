// SPDX-License-Identifier: MIT
// Results beside what they should be, by the relative error of all of them together.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace rankone::test {

inline void expect_close(const std::vector<double>& got, const std::vector<double>& expected, double relative) {
  ASSERT_EQ(got.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i], got[i]) << "NaN at " << i;
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  EXPECT_LE(std::sqrt(difference), relative * std::sqrt(norm));
}

}  // namespace rankone::test
