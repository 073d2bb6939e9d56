// SPDX-License-Identifier: MIT
// States of 16 bits, in every family: read and stored in their type, computed with in float32.
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

TEST(StateTypes, AgreeInEveryFamily) {
  for (const Pins& pins : {Pins{.family = Family::portable}, Pins{.family = Family::portable, .level = Level::chunk},
                           Pins{.family = Family::hopper}, Pins{.family = Family::hopper, .level = Level::segment},
                           Pins{.family = Family::recurrent}})
    for (const dtype state : {dtype::bf16, dtype::f16}) {
      const CompileOptions options{
          .key_dim = 64, .value_dim = 64, .state_dtype = state, .value_major_state = state == dtype::f16, .pins = pins};
      Problem problem = random_problem(
          variants::gla, options,
          {.batch = 1, .tokens = 150, .heads = 1, .value_heads = 2, .key_dim = 64, .value_dim = 64}, {.seed = 4});
      EXPECT_EQ(problem.find("initial_state")->type, state);
      expect_right(compile(variants::gla, options, cpu_device(1)), problem, name_of(state));
    }
}

// A number that a type does not hold is rounded to the nearest that it does.
TEST(StateTypes, AreRoundedOnceWhereTheyAreStored) {
  const CompileOptions options{.key_dim = 1, .value_dim = 1, .dtype = dtype::f32, .state_dtype = dtype::bf16};
  const Operator op = compile(variants::linear, options, cpu_device(1));
  float one = 1, value = 1.00390625f, o = 0;  // 1 + 2^-8
  std::uint16_t before = 0x4000, after = 0;   // 2
  const Tensor x(&one, dtype::f32, {1, 1, 1, 1});
  op.forward({.q = x,
              .k = x,
              .v = Tensor(&value, dtype::f32, {1, 1, 1, 1}),
              .scale = 1,
              .initial_state = Tensor(&before, dtype::bf16, {1, 1, 1, 1}),
              .o = Tensor(&o, dtype::f32, {1, 1, 1, 1}),
              .final_state = Tensor(&after, dtype::bf16, {1, 1, 1, 1})});
  EXPECT_FLOAT_EQ(o, 3.00390625f);
  EXPECT_EQ(after, 0x4040) << "3";
}

TEST(StateTypes, OfACallAreThoseOfTheOperator) {
  const CompileOptions options{.key_dim = 16, .value_dim = 16, .state_dtype = dtype::f16};
  const Operator op = compile(variants::linear, options, cpu_device(1));
  for (const TensorInfo& each : op.tensors())
    if (each.name == "initial_state" || each.name == "final_state") {
      EXPECT_EQ(each.type, dtype::f16) << each.name;
    }
  std::vector<float> memory(256);
  const Tensor x(memory.data(), dtype::bf16, {1, 1, 1, 16});
  try {
    op.forward({.q = x, .k = x, .v = x, .initial_state = Tensor(memory.data(), dtype::f32, {1, 1, 16, 16}), .o = x});
    ADD_FAILURE() << "float32 is accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("given f32; accepted: f16, from state_dtype of the compile options"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace rankone::test
