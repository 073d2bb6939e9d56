// SPDX-License-Identifier: MIT
// Lagged writes on the CPU device, in every pass, beside all that may stand beside them.
#include <algorithm>

#include "proof/launch.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/given_arguments.hpp"
#include "tests/kernels/every_pass.hpp"
#include "tests/refusal.hpp"

namespace rankone::test {
namespace {

constexpr Variant lagging[] = {
    variant("alone").write_lagged(param("w") + head() / 4).checked(),
    variant("before")
        .decay(per_head(log_sigmoid(input("g"))))
        .write_lagged(input("l"))
        .exclusive()
        .reversed()
        .checked(),
    variant("formulas")
        .decay(per_key(log_sigmoid(input("g"))))
        .key(key() * (1 - decay()) + param("b") / (1 + position()))
        .value(value() * input("w"))
        .write_lagged(sigmoid(input("l")) * param("c"))
        .bonus(param("u"))
        .permuted()
        .checked(),
    variant("elements")
        .decay(full(-softplus(input("x", value_head_axis | key_axis) + param("A"))))
        .write_lagged(input("l"))
        .output(read() * sigmoid(value() + read()))
        .checked(),
    variant("columns")
        .decay(per_value(log_sigmoid(input("g"))))
        .write_lagged(input("l"))
        .value(silu(value()))
        .checked(),
    variant("sums").decay(per_key(log_sigmoid(input("g")))).key(l2_normalize(key())).write_lagged(input("l")).checked(),
    variant("features").decay(per_head(log_sigmoid(input("g")))).feature_map(taylor).write_lagged(input("l")).checked(),
    variant("normalised")
        .decay(per_head(log_sigmoid(input("g"))))
        .feature_map(exp)
        .write_lagged(sigmoid(input("l")))
        .normalised(1)
        .checked(),
    variant("turning")
        .decay(per_head(log_sigmoid(input("g"))))
        .phase(per_key(3 * tanh(input("p"))))
        .write_lagged(input("l"))
        .checked()};

TEST(LaggedWrites, StandBesideAllElse) { expect_each_right_in_every_pass(lagging); }

// The key alone: of the value there are zeros, whose slopes are the key's. An empty sequence leaves what it was given.
TEST(LaggedWrites, AnInitialKeyMayStandAlone) {
  const Variant& variant = lagging[0];
  const CompileOptions options{.key_dim = 24, .value_dim = 36, .dtype = dtype::f32};
  const Dims dims{
      .batch = 1, .tokens = 9, .heads = 1, .value_heads = 2, .key_dim = 24, .value_dim = 36, .sequences = 3};
  const RandomInputs inputs{.seed = 5, .packed = true, .boundaries = {0, 4, 4, 9}};
  const Operator op = compile(variant, options, cpu_device(5));
  const auto without_value = [](Problem problem) {
    std::erase_if(problem.tensors, [](const HostTensor& each) {
      return each.name == "initial_state" || each.name == "initial_state_value";
    });
    return problem;
  };
  Problem problem = without_value(random_problem(variant, options, dims, inputs));
  expect_right(op, problem, "forward");
  BackwardProblem call(without_value(random_problem(variant, options, dims, inputs)), 5);
  expect_right_gradients(op, call, "backward");
}

HostTensor output_of(const Launch& launch, std::string_view name) {
  const std::vector<HostTensor> all = launch.outputs();
  return *std::ranges::find(all, name, &HostTensor::name);
}

// Each tile has value columns of its own. The key is all tiles': one would overwrite what another has still to read.
TEST(LaggedWrites, WhatHasValueColumnsMayBeWrittenWhereItWasRead) {
  const Variant& variant = *std::ranges::find(lagging, "turning", [](const Variant& each) { return each.name.view(); });
  const CompileOptions options{.key_dim = 24, .value_dim = 36, .dtype = dtype::f32, .pins = {.value_tile = 16}};
  const Dims dims{
      .batch = 2, .tokens = 9, .heads = 1, .value_heads = 2, .key_dim = 24, .value_dim = 36, .sequences = 2};
  const Operator op = compile(variant, options, cpu_device(5));
  Problem problem = random_problem(variant, options, dims, {.seed = 5});
  Launch launch(op, problem, true);
  launch.poison();
  launch.run();
  HostTensor o = make_tensor("o", dtype::f32, {2, 9, 2, 36});
  ForwardArguments given{.scale = problem.scale};
  bind_tensor(given, "o", o.view());
  std::vector<HostTensor*> updated;
  for (HostTensor& tensor : problem.tensors) {
    bind_tensor(given, tensor.name, tensor.view());
    if (!tensor.name.starts_with("initial_state") || tensor.name == "initial_state_key") continue;
    bind_tensor(given, "final" + tensor.name.substr(std::string_view("initial").size()), tensor.view());
    updated.push_back(&tensor);
  }
  ASSERT_EQ(updated.size(), 3u);
  op.forward(given);
  EXPECT_EQ(o.bytes, output_of(launch, "o").bytes);
  for (const HostTensor* each : updated) {
    const std::string written = "final" + each->name.substr(std::string_view("initial").size());
    EXPECT_EQ(each->bytes, output_of(launch, written).bytes) << written;
  }
  HostTensor& key = *std::ranges::find(problem.tensors, "initial_state_key", &HostTensor::name);
  bind_tensor(given, "final_state_key", key.view());
  EXPECT_NE(refusal([&] { op.forward(given); }).find("only what has value columns"), std::string::npos);
}

}  // namespace
}  // namespace rankone::test
