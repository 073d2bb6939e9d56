// SPDX-License-Identifier: MIT
// Of a gradient whose terms cancel, what float32 leaves of them is right, and nothing more; of others no bound moves.
#include "proof/sensitivity.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include <rankone/compile.hpp>
#include <rankone/dsl.hpp>

#include "proof/launch.hpp"
#include "proof/verify.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

constexpr int keys = 48;
const CompileOptions options{.key_dim = keys, .value_dim = 32, .dtype = dtype::bf16};
const Dims dims{.batch = 1, .tokens = 20, .heads = 1, .value_heads = 1, .key_dim = keys, .value_dim = 32};

// A softmax over a row whose keys all have the number of `x`: whatever that is, it is 1 / K. `y` has K of them.
constexpr Variant alike = variant("alike")
                              .key(softmax(input("x", {Axes::value_head})) + softmax(input("y")))
                              .decay(per_head(log_sigmoid(input("g"))))
                              .checked();

Problem drawn(int i) {
  return random_problem(alike, options, dims, {.seed = seed_of_draw(3, i), .pass = Pass::backward});
}

// What the kernels compute of each drawn problem, once for all tests.
const std::vector<HostTensor>& computed(std::size_t i, const Problem& problem) {
  static std::vector<std::vector<HostTensor>> all;
  static const Operator op = compile(alike, options, Device::cpu());
  if (i == all.size()) {
    Launch launch(op, problem, true);
    launch.poison();
    launch.run();
    all.push_back(launch.outputs());
  }
  return all[i];
}

// Of that, with each element of `tensor` wrong by as much.
std::vector<TensorError> judged(std::string_view tensor, double by) {
  std::size_t next = 0;
  const auto run = [&](const Problem& problem) {
    std::vector<HostTensor> results = computed(next++, problem);
    for (HostTensor& each : results)
      for (std::int64_t i = 0; each.name == tensor && i < product(each.shape); ++i)
        store(each.bytes.data(), each.type, i, load(each.bytes.data(), each.type, i) + (i % 2 == 0 ? by : -by));
    return results;
  };
  return verify(run, drawn).tensors;
}
const TensorError& of(const std::vector<TensorError>& all, std::string_view name) {
  return *std::ranges::find(all, name, &TensorError::name);
}

TEST(Sensitivity, OfASlopeThatIsZeroIsTheRoundingOfItsTerms) {
  const std::vector<TensorError> errors = judged("", 0), wrong = judged("dx", 1e-4);
  for (const TensorError& each : errors) EXPECT_TRUE(each.ok) << each.name << " " << each.relative_error;
  const TensorError& x = of(errors, "dx");
  EXPECT_GT(x.relative_error, gradient_bound(dtype::bf16)) << "else nothing is shown";
  EXPECT_EQ(of(errors, "dy").bound, of(wrong, "dy").bound) << "what is right keeps its bound";
  // Terms are some hundredths: more than their roundings is wrong.
  EXPECT_FALSE(of(wrong, "dx").ok);
  EXPECT_FALSE(of(judged("dy", 1e-3), "dy").ok);
}

TEST(Sensitivity, IsOfFloat32WhereNothingCancels) {
  std::vector<Referred> draws{{drawn(0), nullptr}};
  Problem problem = drawn(0);
  const std::vector<HostTensor> reference = reference_outputs(problem);
  draws.front().reference = &reference;
  for (const Sensitivity& each : float32_sensitivities(draws)) {
    EXPECT_GT(each.relative, 1e-8) << each.name;
    if (each.name != "dx") {
      EXPECT_LT(each.relative, 3e-6) << each.name;
    }
  }
}

TEST(Sensitivity, MovesEachNumberByItsLastDigit) {
  const Problem problem = drawn(0);
  Problem moved = nudged(problem, 1);
  for (const HostTensor& before : problem.tensors) {
    const HostTensor& behind = *moved.find(before.name);
    int up = 0, down = 0;
    for (std::int64_t i = 0; i < product(before.shape); ++i) {
      const double from = load(before.bytes.data(), before.type, i), to = load(behind.bytes.data(), behind.type, i);
      EXPECT_LE(std::abs(to - from), std::abs(from) * 0x1p-52) << before.name;
      up += to > from, down += to < from;
    }
    EXPECT_GT(std::min(up, down), 0) << before.name;
  }
}

}  // namespace
}  // namespace rankone
