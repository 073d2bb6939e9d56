// SPDX-License-Identifier: MIT
// Bound calls: checked once, then launched without another look at them, and without taking memory.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include <rankone/rankone.hpp>

#include "tests/runtime/allocations.hpp"
#include "tests/runtime/recorder.hpp"

namespace rankone {
namespace {

constexpr std::int64_t T = 40, H = 2, K = 64;

// The tensors of a call of gla_sigmoid, all of bf16 zeros.
struct Tensors {
  std::vector<std::uint16_t> q = std::vector<std::uint16_t>(T * H * K), o = q;
  std::vector<float> state = std::vector<float>(H * K * K), total = std::vector<float>(H * K), earlier = state;

  ForwardArguments arguments() {
    const Tensor in = Tensor::view(q.data(), dtype::bf16, {1, T, H, K});
    return {.q = in,
            .k = in,
            .v = in,
            .inputs = {{"x", in}},
            .o = {o.data(), dtype::bf16, {1, T, H, K}},
            .final_state = Tensor::of(state.data(), {1, H, K, K})};
  }
};

class Bound : public testing::Test {
 protected:
  const std::shared_ptr<test::Recorder> device = std::make_shared<test::Recorder>();
  const Operator op = compile(variants::gla_sigmoid, {.key_dim = K, .value_dim = K}, make_device(device));
  Tensors tensors;
};

TEST_F(Bound, LaunchesWhatForwardLaunches) {
  op.forward(tensors.arguments());
  const LaunchArguments expected = device->arguments;
  const std::size_t kernels = device->kernels;
  device->arguments = {};
  const BoundCall call = op.bind(tensors.arguments());
  EXPECT_EQ(device->launches, 1) << "binding launches nothing";
  int place = 0;
  call.launch(&place);
  EXPECT_EQ(device->launches, 2);
  EXPECT_EQ(device->kernels, kernels);
  EXPECT_EQ(device->stream, &place);
  EXPECT_EQ(std::memcmp(&*device->arguments, &*expected, sizeof(LaunchArguments) - alignof(TensorMap)), 0);
}

TEST_F(Bound, LaunchingTakesNoMemoryAndMakesNoMaps) {
  const BoundCall forward = op.bind(tensors.arguments());
  const Tensor total = Tensor::of(tensors.total.data(), {1, H, K}),
               state = Tensor::of(tensors.state.data(), {1, H, K, K}),
               earlier = Tensor::of(std::as_const(tensors.earlier).data(), {1, H, K, K});
  const BoundCall states = op.bind_states(tensors.arguments(), total), combine = op.bind_combine(state, total, earlier);
  const int maps = device->encoded;
  EXPECT_GT(maps, 0) << "of the Hopper family's inputs";
  const long before = test::allocations;
  for (int i = 0; i < 100; ++i) {
    forward.launch();
    states.launch();
    combine.launch();
  }
  EXPECT_EQ(test::allocations - before, 0);
  EXPECT_EQ(device->launches, 300);
  EXPECT_EQ(device->encoded, maps);
  const long counted = test::allocations;
  op.forward(tensors.arguments());
  EXPECT_GT(test::allocations - counted, 0) << "else nothing is counted";
}

// Else each asking would lower the pass anew, with hundreds of texts.
TEST_F(Bound, TheWorkspaceOfAPassIsToldFromOneLowering) {
  const Shape shape{.batch = 1, .tokens = T, .heads = H};
  const auto taken = [&](Pass pass) {
    const long before = test::allocations;
    (void)op.workspace_bytes(shape, pass);
    return test::allocations - before;
  };
  const long first = taken(Pass::states);
  EXPECT_LE(taken(Pass::states), taken(Pass::forward));
  EXPECT_GT(first, taken(Pass::states)) << "else lowering takes no memory";
}

TEST_F(Bound, ChecksWhenItBinds) {
  ForwardArguments wrong = tensors.arguments();
  wrong.v = {};
  EXPECT_THROW(op.bind(wrong), Error);
  wrong = tensors.arguments();
  wrong.final_state = Tensor::of(std::as_const(tensors.state).data(), {1, H, K, K});
  EXPECT_THROW(op.bind(wrong), Error) << "a view is not written";
  EXPECT_EQ(device->launches, 0);
}

TEST_F(Bound, KeepsItsKernelsAndHasAnEmptyState) {
  BoundCall call;
  EXPECT_FALSE(call);
  EXPECT_THROW(call.launch(), Error);
  {
    const Operator own = compile(variants::linear, {.key_dim = K, .value_dim = K}, make_device(device));
    ForwardArguments arguments = tensors.arguments();
    arguments.inputs.clear();
    call = own.bind(arguments);
  }
  call.launch();
  EXPECT_EQ(device->launches, 1);
  const BoundCall moved = std::move(call);
  EXPECT_TRUE(moved && !call);         // NOLINT(bugprone-use-after-move): it is what is tested
  EXPECT_THROW(call.launch(), Error);  // NOLINT(bugprone-use-after-move)
  EXPECT_THROW(Operator().bind({}), Error);
}

TEST_F(Bound, WithoutTokensNothingIsLaunched) {
  ForwardArguments arguments = tensors.arguments();
  const Tensor none(nullptr, dtype::bf16, {1, 0, H, K});
  arguments.q = arguments.k = arguments.v = arguments.o = arguments.inputs[0].tensor = none;
  arguments.final_state = {};
  op.bind(arguments).launch();
  EXPECT_EQ(device->launches, 0);
}

// What memory holds may change between launches.
TEST(BoundOnTheCpu, ComputesAgain) {
  std::vector<float> x(T * K, 1.0f), o(T * K);
  const Operator op = compile(variants::linear, {.key_dim = K, .value_dim = K, .dtype = dtype::f32}, Device::cpu());
  const Tensor in = Tensor::of(std::as_const(x).data(), {1, T, 1, K});
  const BoundCall call = op.bind({.q = in, .k = in, .v = in, .o = Tensor::of(o.data(), {1, T, 1, K})});
  call.launch();
  EXPECT_FLOAT_EQ(o.back(), T * 8);  // K T / sqrt(K)
  x.assign(x.size(), 0.5f);
  call.launch();
  EXPECT_FLOAT_EQ(o.back(), T);
}

}  // namespace
}  // namespace rankone
