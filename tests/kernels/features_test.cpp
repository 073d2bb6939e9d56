// SPDX-License-Identifier: MIT
// Feature maps with a dimension of their own on the CPU device: all passes, types and sizes, up to 512 features.
#include "tests/kernels/features.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/space.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/backward_calls.hpp"
#include "tests/refusal.hpp"

namespace rankone::test {
namespace {

bool has_pairs(const Variant& variant) { return reads(variant.formula(Formula::feature_map), Operation::other); }

class FeatureMatrix : public CaseTest {
 protected:
  Problem problem_of(const CompileOptions& options, Dims dims, const RandomInputs& inputs) const {
    dims.key_dim = options.key_dim, dims.value_dim = options.value_dim;
    dims.heads = 1, dims.value_heads = 3;
    return random_problem(*GetParam().variant, options, dims, inputs);
  }
  // One element, and as many as make a block's threads take two features each.
  std::vector<int> sizes() const { return has_pairs(*GetParam().variant) ? std::vector{1, 12} : std::vector{1, 40}; }
};

TEST_P(FeatureMatrix, AgreeWithTheRecurrence) {
  std::uint64_t seed = 10;
  for (const int key_dim : sizes())
    for (const bool packed : {false, true}) {
      CompileOptions options = options_of(GetParam(), key_dim, 20, 0);
      options.value_major_state = packed;
      ++seed;
      Problem problem =
          problem_of(options, {.batch = packed ? 1 : 2, .tokens = packed ? 40 : 19}, {.seed = seed, .packed = packed});
      expect_right(compile(*GetParam().variant, options, cpu_device(seed)), problem, GetParam().name());
    }
}

TEST_P(FeatureMatrix, GradientsAgreeWithTheOracle) {
  std::uint64_t seed = 30;
  for (const int key_dim : sizes()) {
    const CompileOptions options = options_of(GetParam(), key_dim, 12, 0);
    for (const bool packed : {false, true}) {
      ++seed;
      BackwardProblem call(
          problem_of(options, {.batch = packed ? 1 : 2, .tokens = packed ? 90 : 11}, {.seed = seed, .packed = packed}),
          seed);
      expect_right_gradients(compile(*GetParam().variant, options, cpu_device(seed)), call,
                             GetParam().name() + " K = " + std::to_string(key_dim));
    }
  }
}

TEST_P(FeatureMatrix, DecodeAgrees) {
  if (GetParam().variant->reversed_) return;  // decoding goes on behind the last token
  std::uint64_t seed = 50;
  for (const int key_dim : sizes()) {
    const CompileOptions options = options_of(GetParam(), key_dim, 20, 0);
    ++seed;
    Problem problem = problem_of(options, {.batch = 5, .tokens = 5}, {.seed = seed, .pass = Pass::decode});
    expect_right(compile(*GetParam().variant, options, cpu_device(seed)), problem, GetParam().name());
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, FeatureMatrix,
                         testing::ValuesIn(cases_by_token({std::begin(features::all), std::end(features::all)})),
                         [](const auto& info) { return info.param.name(); });

// Sums over rows take a thread for each feature.
TEST(Features, AreAtMost512) {
  const auto expect_forward = [](const Variant& variant, int key_dim) {
    const CompileOptions options{.key_dim = key_dim, .value_dim = 8};
    Problem problem = random_problem(
        variant, options, {.batch = 1, .tokens = 5, .heads = 1, .value_heads = 1, .key_dim = key_dim, .value_dim = 8},
        {.seed = 3});
    expect_right(compile(variant, options, cpu_device(3)), problem, std::string(variant.name.view()));
  };
  expect_forward(features::waves, 256);
  expect_forward(features::weights, 255);
  expect_forward(features::series, 22);
  for (const auto& [variant, key_dim, given] :
       {std::tuple{&features::weights, 256, "F = 513 at K = 256"}, {&features::series, 23, "F = 553 at K = 23"}}) {
    const std::string text =
        refusal([&, of = variant, keys = key_dim] { compile(*of, {.key_dim = keys, .value_dim = 8}, cpu_device(1)); });
    EXPECT_NE(text.find("the feature map makes too many features of a key"), std::string::npos) << text;
    EXPECT_NE(text.find(given), std::string::npos) << text;
    EXPECT_NE(text.find("F of at most 512"), std::string::npos) << text;
  }
}

// Whatever the tiling, with equal bits on every run.
TEST(Features, AgreeUnderEveryTiling) {
  for (const Variant* variant : {&features::weights, &features::series}) {
    const CompileOptions options{
        .key_dim = 9, .value_dim = 12, .dtype = dtype::f32, .pins = {.family = Family::recurrent}};
    for (const Schedule& schedule : legal_schedules(*variant, options, "sm_80")) {
      Problem problem = random_problem(
          *variant, options, {.batch = 1, .tokens = 7, .heads = 1, .value_heads = 2, .key_dim = 9, .value_dim = 12},
          {.seed = 7});
      expect_right(compile_schedule(*variant, options, {schedule, "pinned"}, cpu_device(2)), problem,
                   to_string(schedule));
    }
  }
}

TEST(Features, HaveNoFormInChunksAndNoStateOnlyPass) {
  const auto refused = [](const Pins& pins, Pass pass) {
    return refusal([&] {
      const Operator op = compile(features::waves, {.key_dim = 16, .value_dim = 16, .pins = pins}, cpu_device(1));
      (void)op.workspace_bytes({}, pass);
    });
  };
  EXPECT_EQ(refused({}, Pass::forward), "accepted");
  const std::string chunk = refused({.family = Family::portable}, Pass::forward);
  EXPECT_NE(chunk.find("has no form in chunks for a feature dimension of its own"), std::string::npos) << chunk;
  const std::string states = refused({}, Pass::states);
  EXPECT_NE(states.find("this variant has a feature dimension of its own"), std::string::npos) << states;
}

}  // namespace
}  // namespace rankone::test
