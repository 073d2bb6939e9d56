// SPDX-License-Identifier: MIT
// The real kernels: right under every schedule, and wrong or reported without any one of their barriers and waits.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include <rankone/error.hpp>

#include "tests/cpu/skeletons.hpp"

namespace rankone {
namespace {

std::vector<SkeletonCase> cases() {
  std::vector<SkeletonCase> list;
  for (const char* variant : {"linear", "simple_gla", "gla"})
    for (dtype type : {dtype::bf16, dtype::f32})
      for (Level level : {Level::serial, Level::chunk})
        for (int stages : {1, 2}) {
          SkeletonCase one{.variant = variant, .type = type, .level = level};
          one.stages = stages;
          list.push_back(one);
        }
  list.push_back({.variant = "gla", .key_dim = 24, .value_dim = 40, .vectorized = false});
  return list;
}

class Skeletons : public testing::TestWithParam<SkeletonCase> {};
INSTANTIATE_TEST_SUITE_P(Forward, Skeletons, testing::ValuesIn(cases()));

TEST_P(Skeletons, AreRightUnderEverySchedule) {
  Skeleton skeleton(GetParam());
  for (std::uint64_t seed = 1; seed <= 8; ++seed) EXPECT_LE(skeleton.run({.seed = seed}), skeleton.bound()) << "seed " << seed;
}

// Whether the text says, on the line or in the comment above it, that the site is redundant in some kernels.
bool said_to_be_redundant(const std::string& text, int line) {
  std::vector<std::string> lines(1);
  for (char c : text)
    if (c == '\n') lines.emplace_back();
    else lines.back() += c;
  const auto says = [&](int number) { return lines[static_cast<std::size_t>(number - 1)].find("redundant") != std::string::npos; };
  return says(line) || (line > 1 && lines[static_cast<std::size_t>(line - 2)].find("//") != std::string::npos && says(line - 1));
}

TEST_P(Skeletons, NeedEachBarrierAndWait) {
  Skeleton skeleton(GetParam());
  std::vector<int> visited;
  skeleton.run({}, &visited);
  const auto sites = list_sync_sites(skeleton.text());
  ASSERT_FALSE(visited.empty());
  for (const int line : std::set<int>(visited.begin(), visited.end())) {
    const auto site = std::find_if(sites.begin(), sites.end(), [&](const SyncSite& each) { return each.line == line; });
    ASSERT_NE(site, sites.end()) << "line " << line;
    if (said_to_be_redundant(skeleton.text(), line)) continue;
    if (!GetParam().vectorized && site->word.starts_with("copy")) continue;  // this path makes no asynchronous copies
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      bool noticed = true;
      try {
        noticed = skeleton.run({.seed = seed, .dropped_line = line}) > skeleton.bound();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::check_failed) << error.what();
      }
      EXPECT_TRUE(noticed) << "without " << site->word << " at line " << line << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace rankone
