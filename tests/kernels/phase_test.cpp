// SPDX-License-Identifier: MIT
// Complex states on the CPU device, in every pass: beside all that may stand beside a phase, in every type, and over many turns.
#include "tests/kernels/every_pass.hpp"

namespace rankone::test {
namespace {

constexpr Expression turn = 3 * tanh(input("p"));
constexpr Variant variants_with_phases[] = {
    variant("alone").phase(constant(param("w") + head() / 4)).checked(),
    variant("before").decay(per_head(log_sigmoid(input("g")))).phase(per_head(turn)).exclusive().reversed().checked(),
    variant("bonus")
        .decay(per_key(log_sigmoid(input("g"))))
        .phase(per_key(turn + param("c")))
        .bonus(param("u"))
        .key(key() * (1 - decay()))
        .permuted()
        .checked(),
    variant("elements")
        .decay(full(-softplus(input("x", value_head_axis | key_axis) + param("A"))))
        .phase(per_head(turn))
        .output(read() * sigmoid(value() + read()))
        .checked(),
    variant("columns").decay(per_value(log_sigmoid(input("g")))).phase(per_key(turn)).value(silu(value())).checked(),
    variant("sums").decay(per_key(log_sigmoid(input("g")))).phase(per_key(3 * softmax(input("p")))).steps(2).checked(),
    variant("features").decay(per_head(log_sigmoid(input("g")))).phase(per_key(turn)).feature_map(taylor).checked(),
    variant("scaled")
        .decay(per_head(log_sigmoid(input("f"))))
        .write_log_scale(input("i"))
        .phase(per_key(turn))
        .output(tanh(read() / unit()))
        .checked()};

TEST(Phases, StandBesideAllElse) { expect_each_right_in_every_pass(variants_with_phases); }

// Both parts have the state's type and order.
TEST(Phases, KeepBothPartsInEveryTypeOfStates) {
  std::uint64_t seed = 50;
  for (const bool value_major : {false, true})
    for (const dtype state : {dtype::f32, dtype::bf16, dtype::f16}) {
      const CompileOptions options{.key_dim = 21,
                                   .value_dim = 40,
                                   .state_dtype = state,
                                   .value_major_state = value_major,
                                   .pins = {.value_tile = 16}};
      expect_right_in_every_pass(variants::gateloop, options, seed += 3, {.tokens = 21, .packs = false});
      const Port* const imaginary = find_port(ports(variants::gateloop, options), "initial_state_imaginary");
      ASSERT_NE(imaginary, nullptr);
      EXPECT_EQ(imaginary->type, state);
      EXPECT_EQ(imaginary->axes, find_port(ports(variants::gateloop, options), "initial_state")->axes);
    }
}

// A turn keeps more digits than float32 has, since those of many tokens follow each other: equal ones all err alike, and with a
// cosine and a sine of 24 digits they would be off by 1e-4.
TEST(Phases, Float32KeepsItsDigitsOverManyTurns) {
  const CompileOptions options{.key_dim = 4, .value_dim = 4, .dtype = dtype::f32};
  constexpr Variant plain = variant("plain").phase(per_key(input("p"))).checked();
  for (const Inputs kind : {Inputs::random, Inputs::equal}) {
    Problem problem = random_problem(
        plain, options, {.batch = 1, .tokens = 4096, .heads = 1, .value_heads = 1, .key_dim = 4, .value_dim = 4},
        {.seed = 3, .kind = kind});
    std::vector<HostTensor> reference = reference_outputs(problem);
    for (const TensorError& error : verify(compile(plain, options, cpu_device(1)), problem, reference))
      EXPECT_LE(error.relative_error, 1e-5) << error.name << " " << name_of(kind);
  }
}

// A state without an imaginary part would be another one.
TEST(Phases, AStateIsGivenWithBothParts) {
  const CompileOptions options{.key_dim = 4, .value_dim = 4, .dtype = dtype::f32};
  const Operator op = compile(variants::gateloop, options, cpu_device(1));
  Problem problem = random_problem(
      variants::gateloop, options,
      {.batch = 1, .tokens = 2, .heads = 1, .value_heads = 1, .key_dim = 4, .value_dim = 4, .sequences = 1},
      {.seed = 1});
  std::erase_if(problem.tensors, [](const HostTensor& each) { return each.name == "initial_state_imaginary"; });
  try {
    Launch launch(op, problem, true);
    launch.run();
    ADD_FAILURE() << "half a state is accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("initial_state without it"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace rankone::test
