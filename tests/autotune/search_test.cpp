// SPDX-License-Identifier: MIT
// The search in a made-up world, where every time and every fault is known.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "autotune/search.hpp"
#include "codegen/choose.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/program.hpp"

namespace rankone {
namespace {

std::vector<Schedule> space() {
  return legal_schedules(*find_variant("gla"), {.key_dim = 128, .value_dim = 128}, "sm_90a");
}

struct FakeWorld {
  std::function<double(const Schedule&)> speed = [](const Schedule& each) {
    return each.chunk * 0.01 + each.value_tile * 0.001;
  };
  std::function<bool(const Schedule&)> right = [](const Schedule&) { return true; };
  double clock = 0;
  bool stop = false;
  std::mutex mutex;
  std::set<std::string> checked, timed_unchecked;
  int timings = 0;

  SearchWorld world() {
    return {.check =
                [this](const Schedule& each) {
                  const std::lock_guard guard(mutex);
                  if (!right(each)) throw Error(ErrorCode::check_failed, "wrong results in o");
                  checked.insert(to_string(each));
                  return 1e-3;
                },
            .time =
                [this](const Schedule& each, int launches) {
                  if (!checked.contains(to_string(each))) timed_unchecked.insert(to_string(each));
                  clock += launches * 0.01;
                  ++timings;
                  return speed(each);
                },
            .seconds = [this] { return clock; },
            .interrupted = [this] { return stop; },
            .progress = [](const std::string&) {}};
  }
};

TEST(Search, SpaceIsLargeEnough) {
  EXPECT_GE(space().size(), 24u);
  EXPECT_GE(legal_schedules(*find_variant("linear"), {.key_dim = 128, .value_dim = 128}, "sm_90a").size(), 24u);
}

TEST(Search, FindsTheFastestAndTriesAll) {
  for (const int threads : {1, 3, 16}) {
    FakeWorld fake;
    const auto all = space();
    const SearchResult result = search(all, fake.world(), 1e9, threads);
    ASSERT_EQ(result.right.size(), all.size());
    EXPECT_EQ(result.untried, 0u);
    EXPECT_TRUE(fake.timed_unchecked.empty());
    const auto best = std::min_element(all.begin(), all.end(),
                                       [&](const auto& a, const auto& b) { return fake.speed(a) < fake.speed(b); });
    EXPECT_EQ(fake.speed(result.right.front().schedule), fake.speed(*best));
    EXPECT_EQ(result.right.front().schedule, *best) << "of equally fast ones the first";
  }
}

TEST(Search, AWrongCandidateNeverWinsAndIsNeverTimed) {
  FakeWorld fake;
  fake.right = [](const Schedule& each) { return each.chunk != 16; };  // the fastest ones
  const SearchResult result = search(space(), fake.world(), 1e9, 4);
  ASSERT_FALSE(result.right.empty());
  EXPECT_EQ(result.right.front().schedule.chunk, 32);
  ASSERT_FALSE(result.rejected.empty());
  for (const Candidate& each : result.rejected) {
    EXPECT_EQ(each.schedule.chunk, 16);
    EXPECT_NE(each.failure.find("wrong results"), std::string::npos);
    EXPECT_FALSE(fake.checked.contains(to_string(each.schedule)));
  }
}

TEST(Search, NothingRightIsNoWinner) {
  FakeWorld fake;
  fake.right = [](const Schedule&) { return false; };
  const SearchResult result = search(space(), fake.world(), 1e9, 2);
  EXPECT_TRUE(result.right.empty());
  EXPECT_EQ(result.rejected.size(), space().size());
  EXPECT_EQ(fake.timings, 0);
}

TEST(Search, ALaunchThatFailsIsRejected) {
  FakeWorld fake;
  fake.speed = [](const Schedule& each) -> double {
    if (each.stages == 1) throw Error(ErrorCode::launch_failed, "an illegal address");
    return each.chunk;
  };
  const SearchResult result = search(space(), fake.world(), 1e9, 2);
  for (const Candidate& each : result.right) EXPECT_NE(each.schedule.stages, 1);
  EXPECT_EQ(result.right.size() + result.rejected.size(), space().size());
}

TEST(Search, AFinalistThatFailsIsRejected) {
  FakeWorld fake;
  const auto all = space();
  const Schedule fastest = search(all, fake.world(), 1e9, 2).right.front().schedule;
  SearchWorld world = fake.world();
  world.time = [&](const Schedule& each, int launches) -> double {
    if (each == fastest && launches == final_launches) throw Error(ErrorCode::launch_failed, "an illegal address");
    return fake.speed(each);
  };
  const SearchResult result = search(all, world, 1e9, 2);
  ASSERT_EQ(result.rejected.size(), 1u);
  EXPECT_EQ(result.rejected[0].schedule, fastest);
  EXPECT_EQ(result.rejected[0].failure, "an illegal address");
  EXPECT_EQ(result.right.size(), all.size() - 1);
  EXPECT_TRUE(std::is_sorted(result.right.begin() + 1, result.right.end(),
                             [](const auto& a, const auto& b) { return a.median_ms < b.median_ms; }));
}

TEST(Search, KeepsToItsBudget) {
  FakeWorld fake;
  const SearchResult result = search(space(), fake.world(), 0.2, 1);
  EXPECT_GT(result.untried, 0u);
  EXPECT_GE(result.right.size(), 1u);
  EXPECT_EQ(result.right.size() + result.untried, space().size());
  EXPECT_FALSE(result.interrupted);
  FakeWorld none;
  EXPECT_EQ(search(space(), none.world(), 0, 1).right.size(), 1u) << "the first one always";
}

TEST(Search, AnInterruptKeepsWhatWasLearnt) {
  FakeWorld fake;
  SearchWorld world = fake.world();
  world.interrupted = [&] { return fake.timings >= 5; };
  const SearchResult result = search(space(), world, 1e9, 1);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.right.size(), 5u);
  EXPECT_EQ(fake.timings, 5) << "no finals after an interrupt";
}

TEST(Search, TwoSearchesAgreeUnderNoise) {
  // Two schedules are equally good; the rest is slower. A fifth of a percent of noise must not decide.
  const auto all = space();
  const Schedule first = all[3], second = all[7];
  const auto winner = [&](double tilt) {
    FakeWorld fake;
    fake.speed = [=](const Schedule& each) { return each == first ? 1.0 + tilt : each == second ? 1.0 - tilt : 2.0; };
    return search(all, fake.world(), 1e9, 4).right.front().schedule;
  };
  EXPECT_EQ(winner(0.002), winner(-0.002));
  EXPECT_EQ(winner(0.002), first);
  EXPECT_EQ(winner(0.05), second) << "a real difference does";
}

}  // namespace
}  // namespace rankone
