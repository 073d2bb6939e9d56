// SPDX-License-Identifier: MIT
// The Hopper family on the CPU device: every catalogue variant, walked whole and in segments, under eight schedule
// seeds and more; and each of its barriers, waits and fences taken away.
#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "codegen/choose.hpp"
#include "codegen/program.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/first_fault.hpp"
#include "tests/kernels/parts.hpp"

namespace rankone::test {
namespace {

std::string variant_name(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.variant->name.view()) + "_" + info.param.numbers.name;
}
// Of three runs one is without tensor maps.
const auto any_device = [](std::uint64_t seed) {
  return cpu_device(EmulationOptions{.seed = seed, .maps_tensors = seed % 3 != 0});
};

class HopperWhole : public CaseTest {};

TEST_P(HopperWhole, AgreesWithTheRecurrence) {
  if (GetParam().numbers.type == dtype::bf16) expect_right_at_all_lengths(GetParam(), any_device, 64, 32, 32, 100);
  expect_right_at_all_lengths(GetParam(), any_device, 80, 96, 64, 110);
}

TEST_P(HopperWhole, AgreesAtTheSizesItIsMadeFor) {
  expect_right_at_all_lengths(GetParam(), any_device, 128, 128, 64, 120);
  if (!whole_matrix()) return;
  expect_right_at_all_lengths(GetParam(), any_device, 192, 80, 32, 130);
  expect_right_at_all_lengths(GetParam(), any_device, 256, 192, 32, 140);
}

TEST_P(HopperWhole, AgreesWhereRowsAreNoMultiplesOf16Bytes) {
  expect_right_at_all_lengths(GetParam(), any_device, 36, 44, 32, 150);
  if (!whole_matrix()) return;
  expect_right_at_all_lengths(GetParam(), any_device, 100, 100, 64, 151);
  expect_right_at_all_lengths(GetParam(), any_device, 66, 130, 32, 152);
  expect_right_at_all_lengths(GetParam(), any_device, 98, 34, 32, 153);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, HopperWhole, testing::ValuesIn(hopper_cases(Level::serial)), variant_name);

class HopperCluster : public testing::TestWithParam<Case> {};

TEST_P(HopperCluster, AgreesWithTheRecurrence) {
  expect_right_at_all_lengths(GetParam(), any_device, 128, 128, 32, 155);
  expect_right_at_all_lengths(GetParam(), any_device, 128, 240, 64, 160);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, HopperCluster, testing::ValuesIn(cluster_cases()),
                         [](const auto& info) { return info.param.name(); });

class HopperPrepared : public CaseTest {};

TEST_P(HopperPrepared, AgreesWithTheRecurrence) {
  expect_right_at_all_lengths(GetParam(), any_device, 64, 32, 32, 300);
  expect_right_at_all_lengths(GetParam(), any_device, 80, 96, 64, 310);
}

TEST_P(HopperPrepared, AgreesAtTheSizesItIsMadeFor) {
  expect_right_at_all_lengths(GetParam(), any_device, 256, 192, 32, 320);
  if (!whole_matrix()) return;
  expect_right_at_all_lengths(GetParam(), any_device, 192, 128, 32, 330);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, HopperPrepared, testing::ValuesIn(prepared_cases()),
                         [](const auto& info) { return info.param.name(); });

class HopperSplit : public CaseTest {};

void expect_right_in_segments(const Case& c, int key_dim, int value_dim, bool packed) {
  const CompileOptions options = options_of(c, key_dim, value_dim, 32);
  const std::uint64_t seed = packed ? 201 : 200;
  Problem problem = random_problem(*c.variant, options,
                                   {.batch = packed ? 1 : 2,
                                    .tokens = 613,
                                    .heads = 1,
                                    .value_heads = 2,
                                    .key_dim = key_dim,
                                    .value_dim = value_dim,
                                    .sequences = packed ? 1 : 2},
                                   {.seed = seed, .packed = packed});
  spread_gates(problem, seed);
  const Operator op = compile(*c.variant, options, any_device(seed));
  ASSERT_GT(op.workspace_bytes({.batch = 1, .tokens = 613, .heads = 1, .value_heads = 2}), 0u) << "nothing is split";
  expect_right(op, problem, c.name() + (packed ? " packed" : ""));
}

TEST_P(HopperSplit, SegmentsAgreeWithTheRecurrence) {
  const int dim = GetParam().cluster == 1 ? 64 : GetParam().variant == &variants::gla ? 256 : 128;
  for (const bool packed : {false, true}) expect_right_in_segments(GetParam(), dim, dim, packed);
}

// States of 38 x 34 elements are joined by fours.
TEST_P(HopperSplit, AgreesWhereRowsAreNoMultiplesOf16Bytes) {
  if (GetParam().cluster == 1) expect_right_in_segments(GetParam(), 38, 34, true);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, HopperSplit, testing::ValuesIn(hopper_cases(Level::segment)), variant_name);
INSTANTIATE_TEST_SUITE_P(Clusters, HopperSplit,
                         testing::Values(Case{&variants::gla, Level::segment, bf16_numbers, Family::hopper, 2},
                                         Case{&variants::hgrn2, Level::segment, bf16_numbers, Family::hopper, 2}),
                         variant_name);

constexpr Variant mapped = variant("mapped").feature_map(square).decay(per_head(input("g"))).checked();
constexpr Variant token_bonus =
    variant("token_bonus").decay(per_head(input("g"))).bonus(input("u")).write_scale(sigmoid(input("b"))).checked();
constexpr Variant sides = variant("both_sides").decay(outer(input("g"), input("gk"))).bonus(input("u")).checked();

struct Skeleton {
  const char* name;
  const Variant* variant;
  Level level;
  int dim = 64;
  bool packed = false;
  int cluster = 1;
  rankone::dtype dtype = dtype::bf16;
  bool prepared = false;
};
const Skeleton skeletons[] = {{"none", &variants::linear, Level::serial},
                              {"token", &variants::simple_gla, Level::serial},
                              {"mapped", &mapped, Level::serial},
                              {"token_packed", &variants::simple_gla, Level::serial, 64, true},
                              {"key", &variants::gla, Level::serial},
                              {"key_two_blocks", &variants::gla, Level::serial, 128},
                              {"key_derived", &variants::hgrn2, Level::serial},
                              {"token_segments", &variants::simple_gla, Level::segment},
                              {"key_segments", &variants::gla, Level::segment},
                              {"cluster", &variants::gla, Level::serial, 128, false, 2},
                              {"cluster_packed", &variants::gla, Level::serial, 128, true, 2},
                              {"cluster_derived", &variants::hgrn2, Level::serial, 128, false, 2},
                              {"cluster_segments", &variants::gla, Level::segment, 128, false, 2},
                              {"none_f16", &variants::linear, Level::serial, 64, false, 1, dtype::f16},
                              {"token_f16", &variants::mamba2, Level::serial, 64, false, 1, dtype::f16},
                              {"key_f16", &variants::gla, Level::serial, 64, false, 1, dtype::f16},
                              {"token_bonus", &parts::bonus, Level::serial},
                              {"token_bonus_f16", &token_bonus, Level::serial, 64, false, 1, dtype::f16},
                              {"token_backwards", &parts::backwards_before, Level::serial, 64, true},
                              {"key_bonus", &variants::rwkv6, Level::serial},
                              {"key_before", &parts::before_keys, Level::segment},
                              {"key_backwards", &parts::backwards, Level::serial, 64, true},
                              {"columns", &parts::columns, Level::serial},
                              {"columns_bonus", &parts::columns_bonus, Level::serial},
                              {"sides", &variants::dfw, Level::serial},
                              {"sides_bonus", &sides, Level::serial, 64, true},
                              {"prepared", &variants::gla, Level::serial, 64, false, 1, dtype::bf16, true},
                              {"prepared_packed", &variants::gla, Level::serial, 128, true, 1, dtype::bf16, true},
                              {"prepared_derived", &variants::hgrn2, Level::serial, 256, false, 1, dtype::bf16, true},
                              {"prepared_f16", &variants::gla, Level::serial, 128, false, 1, dtype::f16, true}};

// Of which skeletons the reasons hold that words give for being redundant.
struct Reason {
  const char* name;
  bool (*holds)(const Skeleton&);
};
bool rewrites_tokens(const Skeleton& s) { return s.variant == &mapped || s.variant == &parts::bonus; }
const Reason reasons[] = {
    {"where_rewriting_fences", rewrites_tokens},
    {"where_rewriting_meets", rewrites_tokens},
    {"without_weights", [](const Skeleton& s) { return s.variant == &variants::linear && s.dtype == dtype::bf16; }},
    {"without_range_scales", [](const Skeleton& s) { return s.dtype == dtype::bf16; }},
    {"where_output_meets", [](const Skeleton& s) { return s.level == Level::serial; }},
    {"but_for_the_compiler", [](const Skeleton&) { return true; }},
    {"where_poison_is_seen", [](const Skeleton&) { return true; }},
};
const Reason& reason_named(const std::string& name) {
  const auto* const found =
      std::find_if(std::begin(reasons), std::end(reasons), [&](const Reason& each) { return each.name == name; });
  if (found == std::end(reasons)) throw std::out_of_range("no skeleton is known for redundant::" + name);
  return *found;
}

CompileOptions options_of(const Skeleton& s) {
  return {.key_dim = s.dim,
          .value_dim = 64 * s.cluster,
          .dtype = s.dtype,
          .pins = {.family = Family::hopper,
                   .level = s.level,
                   .chunk = 32,
                   .value_tile = 64,
                   .stages = 3,
                   .cluster = s.cluster,
                   .prepared = s.prepared}};
}

class HopperSync : public testing::TestWithParam<std::size_t> {
 protected:
  static const Skeleton& skeleton() { return skeletons[GetParam()]; }
  static CompileOptions options() { return options_of(skeleton()); }
  // What happens without the site on `line`; empty: nothing was seen.
  static std::string run_without(int line, std::uint64_t seed, bool harsh, std::set<int>& visited) {
    const bool split = skeleton().level == Level::segment;  // then several items for each of the device's cores
    const int heads = split ? 3 : 1;
    Problem problem = random_problem(*skeleton().variant, options(),
                                     {.batch = 1,
                                      .tokens = split ? 700 : 261,
                                      .heads = heads,
                                      .value_heads = heads,
                                      .key_dim = skeleton().dim,
                                      .value_dim = std::int64_t{64} * skeleton().cluster},
                                     {.seed = seed, .packed = skeleton().packed});
    if (harsh) spread_gates(problem, seed);
    // Both ways of loading: seeds 1 and 2, 5 and 6 with tensor maps, 3 and 4 without.
    EmulationOptions emulation{.seed = seed, .maps_tensors = (seed - 1) / 2 % 2 == 0, .dropped_line = line};
    emulation.on_report = [&](const EmulationReport& report) {
      visited.insert(report.visited_lines.begin(), report.visited_lines.end());
    };
    const Operator op = compile(*skeleton().variant, options(), cpu_device(emulation));
    return first_fault(op, problem);
  }
};

TEST_P(HopperSync, EveryRemovalIsSeen) {
  RANKONE_SKIP_UNLESS(runs_in_turn(GetParam(), 3));
  std::set<int> visited;
  for (std::uint64_t seed = 1; seed <= 8; ++seed)
    EXPECT_EQ(run_without(0, seed, seed % 2 == 0, visited), "") << "untouched";
  const std::string text = compile(*skeleton().variant, options(), cpu_device(1)).source();
  int removed = 0;
  for (const SyncSite& site : list_sync_sites(text)) {
    if (!visited.contains(site.line)) continue;
    if (!site.redundant.empty() && reason_named(site.redundant).holds(skeleton())) continue;
    ++removed;
    std::string seen;
    for (std::uint64_t seed = 1; seed <= 6 && seen.empty(); ++seed) {
      std::set<int> ignored;
      seen = run_without(site.line, seed, seed % 2 == 0, ignored);
    }
    EXPECT_NE(seen, "") << site.word << " on line " << site.line << " goes unmissed";
  }
  EXPECT_GE(removed, 10);
}

// A reason leaves each word to be tested in some skeleton; only the compiler's own needs, and what poison hides, show in
// none.
TEST(HopperRedundancy, HoldsNowhereForAll) {
  std::map<std::string, int> tested;
  for (const Skeleton& skeleton : skeletons) {
    const CompileOptions options = options_of(skeleton);
    const Schedule schedule = default_schedule(*skeleton.variant, options, "sm_90a");
    for (const SyncSite& site : list_sync_sites(emit(lower(*skeleton.variant, options, schedule, "sm_90a"))))
      if (!site.redundant.empty()) tested[site.redundant] += !reason_named(site.redundant).holds(skeleton);
  }
  for (const Reason& reason : reasons) {
    ASSERT_TRUE(tested.contains(reason.name)) << reason.name << " is given nowhere";
    const bool shows_nowhere =
        std::set<std::string>{"but_for_the_compiler", "where_poison_is_seen"}.contains(reason.name);
    EXPECT_EQ(tested[reason.name] > 0, !shows_nowhere) << reason.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Skeletons, HopperSync, testing::Range(std::size_t{0}, std::size(skeletons)),
                         [](const auto& info) { return std::string(skeletons[info.param].name); });

}  // namespace
}  // namespace rankone::test
