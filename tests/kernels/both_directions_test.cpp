// SPDX-License-Identifier: MIT
// Bidirectional variants on the CPU device: types, lengths, packings and parts, forward and back, against the oracle.
#include "codegen/program.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/refusal.hpp"

namespace rankone::test {
namespace {

constexpr Variant gla_both = variant("gla_both").decay(per_key(input("g"))).bidirectional().checked();
constexpr Variant kda_both = variant("kda_both")
                                 .feature_map(l2_normalize)
                                 .decay(per_key(log_sigmoid(input("x") + param("bias"))))
                                 .erase(sigmoid(input("beta")))
                                 .output(read() * sigmoid(read() + value()) + param("d", value_axis) * value())
                                 .bidirectional()
                                 .checked();
constexpr Variant bonus_both = variant("bonus_both")
                                   .decay(per_value(log_sigmoid(input("x")) - position() / 400))
                                   .value(value() * input("z"))
                                   .bonus(param("u"))
                                   .bidirectional()
                                   .permuted()
                                   .checked();

class BothDirections : public testing::TestWithParam<Case> {};

TEST_P(BothDirections, AgreeWithTheOracle) {
  const Case& c = GetParam();
  const CompileOptions options = options_of(c, 12, 20, 0);
  const Operator op = compile(*c.variant, options, cpu_device(5));
  std::uint64_t seed = 40;
  for (const Pass pass : {Pass::forward, Pass::backward})
    for (const int tokens : {1, 9, 70})
      for (const bool packed : {false, true}) {
        const std::int64_t batch = packed ? 1 : 2;
        const Dims dims{.batch = batch,
                        .tokens = tokens,
                        .heads = 1,
                        .value_heads = 2,
                        .key_dim = 12,
                        .value_dim = 20,
                        .sequences = batch};
        Problem problem = random_problem(
            *c.variant, options, dims, {.seed = ++seed, .initial_state = tokens != 9, .packed = packed, .pass = pass});
        expect_right(op, problem,
                     c.name() + " " + to_string(dims) + (packed ? " packed " : " ") + "seed " + std::to_string(seed));
      }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Variant* variant : {&gla_both, &kda_both, &bonus_both})
    for (const Numbers& numbers : all_numbers)
      if (numbers.precision == Precision::tf32) all.push_back({variant, Level::automatic, numbers, Family::recurrent});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Forms, BothDirections, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name(); });

TEST(BothDirections, AreOfWholeSequences) {
  const Operator op = compile(gla_both, {.key_dim = 16, .value_dim = 16}, cpu_device(1));
  for (const Pass pass : {Pass::decode, Pass::states, Pass::combine}) EXPECT_FALSE(op.supports(pass));
  EXPECT_NE(refusal([&] { op.prepare_decode(); }).find("queries read what comes behind it, too"), std::string::npos);
}

TEST(BothDirections, AStateOfEitherWalkSaysFromWhereItGoesOn) {
  constexpr Variant variant = rankone::variant("placed").write_scale(1 / (1 + position())).bidirectional().checked();
  const Operator op = compile(variant, {.key_dim = 16, .value_dim = 16, .dtype = dtype::f32}, cpu_device(1));
  std::vector<float> memory(16 * 16 * 2);
  const Tensor token(memory.data(), dtype::f32, {1, 1, 1, 16}), state(memory.data(), dtype::f32, {1, 1, 16, 16});
  ForwardArguments given{.q = token, .k = token, .v = token, .o = Tensor(&memory[256], dtype::f32, {1, 1, 1, 16})};
  given.inputs = {{"initial_state_reversed", state}};
  std::vector<std::byte> workspace(op.workspace_bytes({1, 1, 1, 1}));
  given.workspace = workspace;
  EXPECT_NE(refusal([&] { op.forward(given); }).find("initial_state_reversed without it"), std::string::npos);
  given.inputs.clear();
  EXPECT_EQ(refusal([&] { op.forward(given); }), "accepted");
}

}  // namespace
}  // namespace rankone::test
