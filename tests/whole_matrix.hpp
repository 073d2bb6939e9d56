// SPDX-License-Identifier: MIT
// Whether a test runs in full. It is asked when a test runs: ctest lists tests when they are built, so that a list which
// depends on it would always be the short one.
#pragma once

#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

namespace rankone::test {

inline bool whole_matrix() {
  const char* const asked = std::getenv("RANKONE_TEST_ALL");
  return asked != nullptr && std::string_view(asked) != "0";
}

}  // namespace rankone::test

#define RANKONE_SKIP_UNLESS_WHOLE()     \
  if (!::rankone::test::whole_matrix()) \
  GTEST_SKIP() << "part of the whole matrix: RANKONE_TEST_ALL=1, or scripts/test --all"
