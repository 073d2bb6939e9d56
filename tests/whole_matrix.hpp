// SPDX-License-Identifier: MIT
// Whether a test runs in full. It is asked when a test runs: ctest lists tests when they are built, so that a list which
// depends on it would always be the short one.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

namespace rankone::test {

inline bool whole_matrix() {
  const char* const asked = std::getenv("RANKONE_TEST_ALL");
  return asked != nullptr && std::string_view(asked) != "0";
}

// Of tests that are alike, and of which each takes long, the short run has every `count`th.
inline bool runs_in_turn(std::size_t number, std::size_t count) { return whole_matrix() || number % count == 0; }

}  // namespace rankone::test

#define RANKONE_SKIP_UNLESS(runs) \
  if (!(runs)) GTEST_SKIP() << "part of the whole matrix: RANKONE_TEST_ALL=1, or scripts/test --all"
#define RANKONE_SKIP_UNLESS_WHOLE() RANKONE_SKIP_UNLESS(::rankone::test::whole_matrix())
