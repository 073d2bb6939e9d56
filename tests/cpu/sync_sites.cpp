// SPDX-License-Identifier: MIT
// The places that order threads: found in the text, seen when run, and removed one at a time.
#include <gtest/gtest.h>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

TEST(SyncSites, AreFoundInText) {
  EXPECT_EQ(list_sync_sites("#ifndef RANKONE_HOST\n"
                            "RK_DEVICE void sync_block() {}\n"
                            "#if X\n#endif\n"
                            "RK_DEVICE void copy_commit() {}\n"
                            "#endif\n"
                            "  sync_block();  // not sync_warp()\n"
                            "  if (a) { copy_commit(); copy_wait<0>(); }\n"
                            "  resync_block(); int sync_warp = 0;\n"
                            "  rankone::sync_warp();"),
            (std::vector<SyncSite>{
                {7, "sync_block", ""}, {8, "copy_commit", ""}, {8, "copy_wait", ""}, {10, "sync_warp", ""}}));
}

TEST(SyncSites, SayWhatMakesThemRedundant) {
  EXPECT_EQ(list_sync_sites("fence_async(redundant::without_weights);\n"
                            "wgmma_wait<0>();  // not redundant::never\n"
                            "if (a) sync_warp(rankone::redundant::where_output_meets);"),
            (std::vector<SyncSite>{
                {1, "fence_async", "without_weights"}, {2, "wgmma_wait", ""}, {3, "sync_warp", "where_output_meets"}}));
}

TEST(SyncSites, OfTheVocabularyItselfAreNotCalls) { EXPECT_TRUE(list_sync_sites(kernel_text("")).empty()); }

// A kernel that needs each of its sites.
TEST(SyncSites, EachOneRemovedIsNoticed) {
  std::vector<unsigned> source(4 * 64);
  TestKernel kernel(
      "for (int turn = 0; turn < 2; ++turn) {\n"
      "copy_async<16>(16 * t, static_cast<const unsigned*>(a.query.data) + 4 * t, 16);\n"
      "copy_commit();\n"
      "copy_wait<0>();\n"
      "sync_block();  // copies\n"
      "const float sum = shared_load<float>(16 * (t ^ 32)) + shared_load<float>(16 * (t ^ 1));\n"
      "shared_store<float>(2048 + 4 * t, sum);\n"
      "sync_warp();  // sums\n"
      "shared_load<float>(2048 + 4 * (t ^ 1));\n"
      "sync_block();  // for the next turn\n"
      "}\n",
      64, 4096);
  kernel.arguments.query.data = source.data();
  const auto sites = list_sync_sites(kernel.text);
  ASSERT_EQ(sites.size(), 5u);
  std::vector<int> lines;
  for (const SyncSite& site : sites) lines.push_back(site.line);
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    EXPECT_EQ(kernel.run({.seed = seed}).visited_lines, lines);
    for (const SyncSite& site : sites)
      EXPECT_NE(kernel.failure({.seed = seed, .dropped_line = site.line}), "") << site.word << " at line " << site.line;
  }
}

TEST(SyncSites, ReportOnlyWhatWasVisited) {
  TestKernel kernel("if (a.tokens) {\nsync_block();\n}\nsync_warp();", 32, 0);
  EXPECT_EQ(kernel.run().visited_lines, std::vector<int>{kernel.line_of("sync_warp();")});
}

}  // namespace
}  // namespace rankone
