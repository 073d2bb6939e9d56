// SPDX-License-Identifier: MIT
// Threads that wait for what cannot come, and lanes that disagree.
#include <gtest/gtest.h>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

void expect_report(const TestKernel& kernel, std::initializer_list<std::string> pieces) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const std::string failure = kernel.failure({.seed = seed});
    for (const std::string& piece : pieces) EXPECT_NE(failure.find(piece), failure.npos) << piece << " in: " << failure;
  }
}

TEST(Deadlocks, ABarrierThatSomeNeverReach) {
  TestKernel kernel("if (t < 32) sync_block();", 96, 0);
  const std::string line = std::to_string(kernel.line_of("if (t < 32)"));
  expect_report(kernel, {"deadlock", "threads 0-31: in sync_block at line " + line, "threads 32-95: exited"});
}

TEST(Deadlocks, AWarpBarrierThatSomeLanesNeverReach) {
  expect_report(TestKernel("if (t != 3 && t != 9) sync_warp();", 32, 0),
                {"deadlock", "threads 0-2, 4-8, 10-31: in sync_warp", "threads 3, 9: exited"});
}

TEST(Deadlocks, LanesAtDifferentWords) {
  expect_report(TestKernel("if (t < 4) sync_warp();\nelse shuffle(0, 0);", 32, 0),
                {"divergence", "in sync_warp", "in shuffle"});
}

TEST(Deadlocks, LanesAtDifferentBarriers) {
  TestKernel kernel("if (t % 2) { sync_block(); } else\n{ sync_block(); }", 64, 0);
  expect_report(kernel, {"divergence", "in sync_block"});
}

TEST(Deadlocks, WarpsMayComeToDifferentBarriers) {
  EXPECT_EQ(TestKernel("if (t < 32) { sync_block(); } else\n{ sync_block(); }", 64, 0).failure(), "");
}

TEST(Deadlocks, TheEmulatorServesOnAfterAFailure) {
  std::vector<float> out(64);
  TestKernel good("static_cast<float*>(a.output.data)[t] = shuffle_xor(t, 1);", 64, 0);
  TestKernel bad("shuffle_xor(t, 1);\nif (t == 0) sync_block();", 64, 0);
  good.arguments.output.data = out.data();
  for (int i = 0; i < 200; ++i) {
    EXPECT_NE(bad.failure({.seed = static_cast<std::uint64_t>(i)}), "");
    out.assign(64, -1.0f);
    EXPECT_EQ(good.failure({.seed = static_cast<std::uint64_t>(i)}), "");
    for (int t = 0; t < 64; ++t) EXPECT_EQ(out[static_cast<std::size_t>(t)], t ^ 1);
  }
}

}  // namespace
}  // namespace rankone
