// SPDX-License-Identifier: MIT
// Forms in chunks that the portable family alone has: earlier reads, bonuses, reversed walks, and formulas of queries,
// values and outputs, on the CPU device, against the recurrence and against the family that walks token by token.
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

TEST_P(ChunkForms, AgreeWithTheRecurrence) { run(20, 40, 32, 10); }

TEST_P(ChunkForms, AgreeAtOtherSizes) {
  RANKONE_SKIP_UNLESS_WHOLE();
  run(75, 21, 16, 20);
  run(128, 128, 64, 30);
  run(256, 32, 32, 40);
}

TEST_P(ChunkForms, AgreeWithTheRecurrentFamily) {
  const Variant& variant = *GetParam().variant;
  CompileOptions options = options_of(GetParam(), 20, 40, 32);
  const Problem problem = random_problem(
      variant, options, {.batch = 1, .tokens = 75, .heads = 1, .value_heads = 2, .key_dim = 20, .value_dim = 40},
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
  return numbers_in_turn(cases);
}

INSTANTIATE_TEST_SUITE_P(Portable, ChunkForms, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name(); });

}  // namespace
}  // namespace rankone::test
