// SPDX-License-Identifier: MIT
// Lagged writes on the CPU device, in every pass, beside all that may stand beside them.
#include "runtime/cpu/device.hpp"
#include "tests/kernels/every_pass.hpp"

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

}  // namespace
}  // namespace rankone::test
