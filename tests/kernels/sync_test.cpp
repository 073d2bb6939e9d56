// SPDX-License-Identifier: MIT
// Takes away each barrier and wait of each skeleton, one at a time: the CPU device must see what that breaks.
#include <algorithm>
#include <map>
#include <set>

#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/first_fault.hpp"
#include "tests/kernels/parts.hpp"

namespace rankone::test {
namespace {

struct Skeleton {
  const char* name;
  const Variant* variant;
  Schedule schedule;
  Pass pass = Pass::forward;
  int value_dim = 32;
  friend void PrintTo(const Skeleton& s, std::ostream* out) { *out << s.name; }
};

constexpr Variant mapped = variant("mapped").feature_map(square).decay(per_head(input("g"))).checked();

// All paths through the skeleton: decays, stages, roles, tiles that are rewritten, operands in place or apart (f16).
const Skeleton skeletons[] = {
    {"scalar_one_stage",
     &variants::simple_gla,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 1}},
    {"scalar_two_stages",
     &variants::simple_gla,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"scalar_chunks",
     &variants::simple_gla,
     {.level = Level::chunk, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"scalar_helpers",
     &variants::simple_gla,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 4, .stages = 2}},
    {"none", &variants::linear, {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"mapped", &mapped, {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"mapped_chunks", &mapped, {.level = Level::chunk, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 1}},
    {"key_one_stage", &variants::gla, {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 1}},
    {"key_two_stages",
     &variants::gla,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"key_chunks", &variants::gla, {.level = Level::chunk, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"key_bonus", &variants::rwkv6, {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"key_formulas",
     &parts::formulas,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 1}},
    {"formula_chunks",
     &parts::shifted,
     {.level = Level::chunk, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"columns", &parts::columns, {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"column_chunks",
     &parts::columns_before,
     {.level = Level::chunk, .chunk = 32, .value_tile = 32, .warps = 4, .stages = 1}},
    {"sides", &variants::dfw, {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"scalar_backwards",
     &parts::backwards_before,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"normalised",
     &variants::performer,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"normalised_one_stage",
     &parts::normalised,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 4, .stages = 1}},
    {"normalised_keys",
     &parts::normalised_keys,
     {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"normalised_chunks",
     &parts::normalised,
     {.level = Level::chunk, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 2}},
    {"normalised_key_chunks",
     &parts::normalised_keys,
     {.level = Level::chunk, .chunk = 32, .value_tile = 32, .warps = 2, .stages = 1}},
    {"recurrent", &variants::linear, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"recurrent_bonus", &variants::rwkv6, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"recurrent_erasure", &variants::kda, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"recurrent_value_erasure", &variants::gated_oja, {.family = Family::recurrent, .value_tile = 32, .warps = 2}},
    {"recurrent_wide_value_erasure",  // beyond the columns of a warp
     &variants::gated_oja,
     {.family = Family::recurrent, .value_tile = 256, .warps = 4},
     Pass::forward,
     130},
    {"recurrent_row_sums", &with_row_sums, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"recurrent_normalised", &variants::performer, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"recurrent_running_max", &variants::mlstm, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"recurrent_lagged", &variants::mamba3, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"decode_lagged", &variants::mamba3, {.family = Family::recurrent, .value_tile = 16, .warps = 2}, Pass::decode},
    {"recurrent_phase", &variants::gateloop, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"decode_phase", &variants::gateloop, {.family = Family::recurrent, .value_tile = 16, .warps = 2}, Pass::decode},
    {"decode_normalised",
     &variants::performer,
     {.family = Family::recurrent, .value_tile = 16, .warps = 2},
     Pass::decode},
    {"decode_running_max", &variants::mlstm, {.family = Family::recurrent, .value_tile = 16, .warps = 2}, Pass::decode},
    {"decode", &variants::gla, {.family = Family::recurrent, .value_tile = 16, .warps = 2}, Pass::decode},
    {"decode_erasure", &variants::kda, {.family = Family::recurrent, .value_tile = 16, .warps = 2}, Pass::decode},
    {"recurrent_elements", &variants::mamba1, {.family = Family::recurrent, .value_tile = 16, .warps = 2}},
    {"key_derived", &variants::hgrn2, {.level = Level::serial, .chunk = 32, .value_tile = 32, .warps = 4, .stages = 2}},
};

class Sync : public testing::TestWithParam<std::size_t> {
 protected:
  static const Skeleton& skeleton() { return skeletons[GetParam()]; }
  // What happens without the site on `line`; empty: nothing was seen. `visited` collects the lines that were reached.
  std::string run_without(int line, dtype type, std::uint64_t seed, std::set<int>& visited) {
    const Skeleton& s = skeleton();
    CompileOptions options{.key_dim = 32, .value_dim = s.value_dim, .dtype = type};
    const bool decodes = s.pass == Pass::decode;
    Problem problem = random_problem(*s.variant, options,
                                     {.batch = decodes ? 4 : 1,
                                      .tokens = decodes ? 8 : 105,
                                      .heads = 1,
                                      .value_heads = 1,
                                      .key_dim = 32,
                                      .value_dim = s.value_dim},
                                     {.seed = seed, .pass = s.pass});
    EmulationOptions emulation{.seed = seed, .dropped_line = line};
    emulation.on_report = [&](const EmulationReport& report) {
      visited.insert(report.visited_lines.begin(), report.visited_lines.end());
    };
    const Operator op = compile_schedule(*s.variant, options, {s.schedule, "pinned"}, cpu_device(emulation));
    return first_fault(op, problem);
  }
  std::string text(dtype type) {
    const Skeleton& s = skeleton();
    const Operator op = compile_schedule(*s.variant, {.key_dim = 32, .value_dim = s.value_dim, .dtype = type},
                                         {s.schedule, "pinned"}, cpu_device(1));
    return s.pass == Pass::decode ? impl_of(op).decode().text() : op.source();
  }
};

TEST_P(Sync, EveryRemovalIsSeen) {
  // The short run has one type of each, in turn.
  for (const dtype type : {dtype::bf16, dtype::f16}) {
    if (!runs_in_turn(GetParam() + (type == dtype::f16), 2)) continue;
    std::set<int> visited;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) EXPECT_EQ(run_without(0, type, seed, visited), "") << "untouched";
    int removed = 0;
    for (const SyncSite& site : list_sync_sites(text(type))) {
      if (!visited.contains(site.line)) continue;
      ++removed;
      std::set<int> ignored;
      EXPECT_NE(run_without(site.line, type, 1, ignored), "")
          << site.word << " on line " << site.line << " goes unmissed";
    }
    const bool is_recurrent = skeleton().schedule.family == Family::recurrent;
    EXPECT_GE(removed, is_recurrent ? 2 : 3);  // two barriers; or a wait, a commit and a barrier at the least
  }
}

INSTANTIATE_TEST_SUITE_P(Skeletons, Sync, testing::Range(std::size_t{0}, std::size(skeletons)),
                         [](const auto& info) { return std::string(skeletons[info.param].name); });

}  // namespace
}  // namespace rankone::test
