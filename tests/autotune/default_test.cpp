// SPDX-License-Identifier: MIT
// The default schedule where the sizes of a call are known.
#include <gtest/gtest.h>

#include <rankone/rankone.hpp>

#include "autotune/lookup.hpp"
#include "proof/dims.hpp"

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
  EXPECT_EQ(default_of(variants::gla, sizes(1, 1024), square).level, Level::serial) << "it is too short to split";
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

}  // namespace
}  // namespace rankone
