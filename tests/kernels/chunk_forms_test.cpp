// SPDX-License-Identifier: MIT
// Forms in chunks beside those of the catalogue: earlier reads, bonuses, reversed walks, decays of value columns, and formulas
// of queries, values and outputs, on the CPU device, against the recurrence and against the family that walks token by token.
#include "proof/bounds.hpp"
#include "proof/launch.hpp"
#include "proof/oracle/compare.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/parts.hpp"

namespace rankone::test {
namespace {

class ChunkForms : public CaseTest {
 protected:
  void run(int key_dim, int value_dim, int chunk, std::uint64_t seed) {
    const auto device_of = [](std::uint64_t each) { return cpu_device(each); };
    expect_right_at_all_lengths(GetParam(), device_of, key_dim, value_dim, chunk, seed);
  }
  static std::vector<HostTensor> outputs_of(const Operator& op, const Problem& problem) {
    Launch launch(op, problem, true);
    launch.poison();
    launch.run();
    return launch.outputs();
  }
};

bool is_of_hopper(const Case& c) { return c.family == Family::hopper; }

TEST_P(ChunkForms, AgreeWithTheRecurrence) {
  if (!is_of_hopper(GetParam())) return run(20, 40, 32, 10);
  GetParam().cluster > 1 ? run(128, 128, 32, 10) : run(64, 48, 32, 10);
}

TEST_P(ChunkForms, AgreeAtOtherSizes) {
  RANKONE_SKIP_UNLESS_WHOLE();
  if (is_of_hopper(GetParam())) {
    run(128, 128, 64, 30);
    if (GetParam().cluster > 1) return run(128, 240, 64, 40);
    run(80, 96, 64, 50);
    return run(256, 64, 32, 60);
  }
  run(75, 21, 16, 20);
  run(128, 128, 64, 30);
  run(256, 32, 32, 40);
}

TEST_P(ChunkForms, AgreeWithTheRecurrentFamily) {
  const Variant& variant = *GetParam().variant;
  const int key_dim = GetParam().cluster > 1     ? 128
                      : is_of_hopper(GetParam()) ? 64
                                                 : 20,
            value_dim = GetParam().cluster > 1     ? 128
                        : is_of_hopper(GetParam()) ? 48
                                                   : 40;
  CompileOptions options = options_of(GetParam(), key_dim, value_dim, 32);
  const Problem problem = random_problem(
      variant, options,
      {.batch = 1, .tokens = 75, .heads = 1, .value_heads = 2, .key_dim = key_dim, .value_dim = value_dim},
      {.seed = 3});
  const std::vector<HostTensor> in_chunks = outputs_of(compile(variant, options, cpu_device(1)), problem),
                                again = outputs_of(compile(variant, options, cpu_device(6)), problem);
  options.pins = {.family = Family::recurrent};
  const std::vector<HostTensor> by_token = outputs_of(compile(variant, options, cpu_device(1)), problem);
  for (std::size_t i = 0; i < in_chunks.size(); ++i) {
    const double bound = 2 * error_bound(problem, in_chunks[i].name, false);
    EXPECT_LE(compare(in_chunks[i].view(), by_token[i].view(), bound).relative_error, bound) << in_chunks[i].name;
    EXPECT_EQ(in_chunks[i].bytes, again[i].bytes) << in_chunks[i].name << ", another schedule of threads";
  }
}

std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const Variant* variant : parts::all)
    for (const Level level : {Level::serial, Level::chunk})
      for (const Numbers& numbers : all_numbers) cases.push_back({variant, level, numbers});
  return numbers_in_turn(cases, 3);
}

INSTANTIATE_TEST_SUITE_P(Portable, ChunkForms, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name(); });

// A family serves them in the types and at the levels that it has for the catalogue.
std::vector<Case> cases_of_hopper() {
  std::vector<Case> cases;
  for (const Variant* variant : parts::all) {
    if (!part_beyond(*variant, hopper_family.parts).empty()) continue;
    const auto add = [&](Level level, int cluster, bool prepared) {
      for (const Numbers& numbers : all_numbers) {
        const bool is_served =
            numbers.type == dtype::bf16 || (numbers.type == dtype::f16 && why_beyond_f16(*variant).empty());
        if (is_served && (cluster == 1 || numbers.type == dtype::bf16))
          cases.push_back({variant, level, numbers, Family::hopper, cluster, prepared});
      }
    };
    add(Level::serial, 1, false);
    if (variant->decays_by_value()) continue;
    add(Level::segment, 1, false);
    if (!variant->decays_by_key()) continue;
    add(Level::serial, 1, true);
    add(Level::serial, 2, false);
  }
  return numbers_in_turn(cases, 3);
}

INSTANTIATE_TEST_SUITE_P(Hopper, ChunkForms, testing::ValuesIn(cases_of_hopper()),
                         [](const auto& info) { return info.param.name(); });

}  // namespace
}  // namespace rankone::test
