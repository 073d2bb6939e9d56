// SPDX-License-Identifier: MIT
// The default schedule where the sizes of a call are known.
#include <algorithm>

#include <gtest/gtest.h>

#include <rankone/rankone.hpp>

#include "autotune/lookup.hpp"
#include "proof/dims.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

Schedule default_of(const Variant& variant, const Dims& dims, const CompileOptions& options) {
  return choose_schedule(variant, options, Device::cpu(), "sm_90a", expected_shape(dims)).schedule;
}
const CompileOptions square{.key_dim = 128, .value_dim = 128};
Dims sizes(std::int64_t batch, std::int64_t tokens) {
  return {.batch = batch, .tokens = tokens, .heads = 16, .value_heads = 16, .key_dim = 128, .value_dim = 128};
}

TEST(Default, WalksSequencesWholeWhereThereAreEnough) {
  const Schedule schedule = default_of(variants::gla, sizes(8, 4096), square);
  EXPECT_EQ(schedule.level, Level::serial);
  EXPECT_EQ(schedule.value_tile, 128);
  EXPECT_EQ(schedule.cluster, 1);
}

TEST(Default, TakesNarrowTilesWhereTheyOccupyTheRest) {
  for (const Variant* variant : {&variants::gla, &variants::simple_gla}) {
    const Schedule schedule = default_of(*variant, sizes(4, 8192), square);
    EXPECT_EQ(schedule.level, Level::serial);
    EXPECT_EQ(schedule.value_tile, 64);
    EXPECT_EQ(schedule.cluster, variant == &variants::gla ? 2 : 1) << "only keys leave work to share";
  }
}

TEST(Default, SplitsLongSequencesWhereThatDoesNotDo) {
  for (const std::int64_t batch : {1, 2}) {
    const Schedule schedule = default_of(variants::gla, sizes(batch, 16384), square);
    EXPECT_EQ(schedule.level, Level::segment);
    EXPECT_EQ(schedule.value_tile, 128);
  }
}

TEST(Default, TakesNarrowTilesOfWhatIsTooShortToSplit) {
  for (const std::int64_t tokens : {256, 2047}) {
    const Schedule schedule = default_of(variants::linear, sizes(1, tokens), square);
    EXPECT_EQ(schedule.level, Level::serial);
    EXPECT_EQ(schedule.value_tile, 64);
  }
  EXPECT_EQ(default_of(variants::linear, sizes(1, 2048), square).level, Level::segment);
}

TEST(Default, PreparesManyKeysUnlessSequencesAreSplit) {
  const CompileOptions options{.key_dim = 256, .value_dim = 512};
  const auto default_of_heads = [&](std::int64_t batch, std::int64_t tokens) {
    return default_of(variants::gla, {batch, tokens, 4, 4, 256, 512}, options);
  };
  EXPECT_TRUE(default_of_heads(8, 2048).prepared);
  EXPECT_TRUE(default_of_heads(4, 8192).prepared) << "narrow tiles keep it";
  EXPECT_EQ(default_of_heads(4, 8192).value_tile, 64);
  EXPECT_EQ(default_of_heads(1, 32768).level, Level::segment);
}

TEST(Default, LeavesWhatIsPinned) {
  CompileOptions wide = square;
  wide.pins.value_tile = 128;
  EXPECT_EQ(default_of(variants::gla, sizes(4, 8192), wide).value_tile, 128);
  CompileOptions portable = square;
  portable.pins.family = Family::portable;
  EXPECT_EQ(default_of(variants::gla, sizes(4, 8192), portable).family, Family::portable);
}

TEST(Default, OfDecodingFollowsTheRows) {
  const auto tile = [](std::int64_t rows) {
    const ChosenSchedule forward =
        choose_schedule(variants::gla, square, Device::cpu(), "sm_90a", expected_shape(sizes(rows, 1)));
    return chosen_for(Pass::decode, variants::gla, square, "sm_90a", forward).schedule.value_tile;
  };
  EXPECT_EQ(tile(128), 64);
  EXPECT_EQ(tile(1), 32);
  // The shape of a prefill says nothing of the rows that are decoded behind it.
  const ChosenSchedule prefill =
      choose_schedule(variants::gla, square, Device::cpu(), "sm_90a", expected_shape(sizes(1, 4096)));
  EXPECT_EQ(chosen_for(Pass::decode, variants::gla, square, "sm_90a", prefill).schedule.value_tile, 64);
}

TEST(Passes, HaveSchedulesOfTheirOwn) {
  for (const Pass pass : {Pass::backward, Pass::decode}) {
    const std::vector<Schedule> all = schedules_of(pass, variants::kda, square, "sm_90a");
    EXPECT_GE(all.size(), 8u);
    ChosenSchedule forward{.schedule = default_schedule(variants::kda, square, "sm_90a")};
    const Schedule usual = schedule_for(pass, variants::kda, square, "sm_90a", forward);
    EXPECT_NE(std::ranges::find(all, usual), all.end());
    for (const Schedule& each : all) EXPECT_EQ(lower(variants::kda, square, each, "sm_90a", pass).schedule, each);
    // Pins leave those that keep them, whether or not they name the family; pins of another one say nothing here.
    CompileOptions pinned = square;
    for (const std::optional<Family> family : {std::optional<Family>(), std::optional(Family::recurrent)}) {
      pinned.pins = {.family = family, .value_tile = 16};
      for (const Schedule& each : schedules_of(pass, variants::kda, pinned, "sm_90a")) EXPECT_EQ(each.value_tile, 16);
      const Schedule chosen = schedule_for(pass, variants::kda, pinned, "sm_90a", {});
      EXPECT_EQ(chosen.value_tile, 16);
      EXPECT_EQ(chosen_for(pass, variants::kda, pinned, "sm_90a", {}).origin, "pinned");
    }
    pinned.pins = {.family = Family::portable, .value_tile = 16};
    EXPECT_EQ(schedules_of(pass, variants::kda, pinned, "sm_90a"), all);
    EXPECT_EQ(chosen_for(pass, variants::kda, pinned, "sm_90a", {}).origin, "default");
    // What is found for a pass is what it is compiled with.
    const Schedule other = *std::ranges::find_if(all, [&](const Schedule& each) { return each != usual; });
    forward.beside = {{pass, other, "tuned"}};
    const Operator op = compile_schedule(variants::kda, square, forward, Device::cpu());
    EXPECT_EQ(impl_of(op).program(pass).schedule, other);
    EXPECT_EQ(chosen_for(pass, variants::kda, square, "sm_90a", chosen_schedule(op)).origin, "tuned");
  }
}

}  // namespace
}  // namespace rankone
