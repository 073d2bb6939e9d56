// SPDX-License-Identifier: MIT
// The public interface as a class of a user's sees it: buffers, views of constants, what an operator says of itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <rankone/rankone.hpp>

namespace rankone {
namespace {

constexpr std::int64_t T = 5, K = 16;

template <class Call> std::string refusal(const Call& call) {
  try {
    call();
    return "accepted";
  } catch (const Error& error) {
    return error.what();
  }
}

Operator linear() {
  return compile(variants::linear, {.key_dim = K, .value_dim = K, .dtype = dtype::f32}, Device::cpu());
}

TEST(Buffers, OwnTheirMemoryAndMove) {
  std::vector<float> values = {1, 2, 3, 4}, back(4);
  Buffer first(Device::cpu(), 16);
  first.upload(values.data());
  Buffer second = std::move(first);
  EXPECT_FALSE(static_cast<bool>(first));
  EXPECT_EQ(first.bytes(), 0u);
  EXPECT_FALSE(static_cast<bool>(first.tensor()));
  first.download(back.data());
  EXPECT_EQ(back, std::vector<float>(4)) << "an empty buffer has no bytes";
  Buffer third;
  third = std::move(second);
  EXPECT_EQ(third.bytes(), 16u);
  EXPECT_EQ(third.tensor().elements(), 4);
  third.download(back.data());
  EXPECT_EQ(back, values);
  EXPECT_NE(refusal([] { Buffer(Device(), 1); }).find("an empty device"), std::string::npos);
}

TEST(Views, AreReadAndNeverWritten) {
  const std::vector<float> ones(T * K, 1.0f);
  std::vector<float> o(T * K), state(K * K);
  const Tensor in = Tensor::view(ones.data(), dtype::f32, {1, T, 1, K});
  const Tensor out(o.data(), dtype::f32, {1, T, 1, K});
  const Operator op = linear();
  Buffer workspace(op.device(), 1024);
  op.forward({.q = in, .k = in, .v = in, .o = out});
  EXPECT_FLOAT_EQ(o.back(), T * 4);  // K * T / sqrt(K)

  const std::string words = "a tensor that is written is a view of constant memory";
  EXPECT_NE(refusal([&] { op.forward({.q = in, .k = in, .v = in, .o = in}); }).find("'o': " + words),
            std::string::npos);
  const Tensor constant_state = Tensor::view(state.data(), dtype::f32, {1, 1, K, K});
  EXPECT_NE(refusal([&] {
              op.forward({.q = in, .k = in, .v = in, .o = out, .final_state = constant_state});
            }).find("'final_state': " + words),
            std::string::npos);
  op.forward({.q = in, .k = in, .v = in, .initial_state = constant_state, .o = out});
  for (const bool states : {false, true})
    EXPECT_NE(refusal([&] {
                const ForwardArguments given{.q = in, .k = in, .v = in, .o = out, .workspace = in};
                states ? op.states(given, {}) : op.forward(given);
              }).find("'workspace': " + words),
              std::string::npos);
}

TEST(Operators, SayWhatAPassTakes) {
  const Operator op = compile(variants::gla_sigmoid, {.key_dim = K, .value_dim = K}, Device::cpu());
  const std::vector<TensorInfo> forward = op.tensors();
  const auto named = [&](const char* name) { return *std::ranges::find(forward, name, &TensorInfo::name); };
  EXPECT_EQ(forward.front().name, "q");
  EXPECT_EQ(named("x").role, "gate");
  EXPECT_EQ(named("x").axes, (std::vector<std::string>{"B", "T", "HV", "K"}));
  EXPECT_EQ(named("x").type, dtype::bf16);
  EXPECT_EQ(named("x").alignment, 16u);
  EXPECT_TRUE(named("o").writable && !named("o").optional && !named("x").writable);
  EXPECT_TRUE(named("final_state").writable && named("final_state").optional && named("final_state").contiguous);
  const std::vector<TensorInfo> states = op.tensors(Pass::states);
  EXPECT_EQ(std::ranges::find(states, "q", &TensorInfo::name), states.end());
  EXPECT_NE(std::ranges::find(states, "log_decay_total", &TensorInfo::name), states.end());
}

TEST(Operators, SayWhichPassesTheyHaveAndWhatTheseNeed) {
  CompileOptions options{.key_dim = K, .value_dim = K};
  options.pins.level = Level::chunk;
  const Operator op = compile(variants::linear, options, Device::cpu());
  const Shape shape{.batch = 1, .tokens = 200, .heads = 1};
  for (const Pass pass : {Pass::forward, Pass::states, Pass::combine}) EXPECT_TRUE(op.supports(pass));
  EXPECT_GT(op.workspace_bytes(shape), 0u) << "the states of chunks";
  EXPECT_EQ(op.workspace_bytes(shape), op.workspace_bytes(shape, Pass::forward));
  EXPECT_EQ(op.workspace_bytes(shape, Pass::combine), 0u);
  const auto other = static_cast<Pass>(9);
  EXPECT_FALSE(op.supports(other));
  const std::string sentence =
      "linear: the operator does not have this pass; given number 9; accepted: forward, states, combine";
  EXPECT_EQ(refusal([&] { (void)op.tensors(other); }), sentence);
  EXPECT_EQ(refusal([&] { (void)op.workspace_bytes(shape, other); }), sentence);
  EXPECT_NE(refusal([&] { (void)op.workspace_bytes({.batch = -1}, Pass::states); }).find("out of range"),
            std::string::npos);
}

TEST(Variants, GoThroughJsonAndBack) {
  const Variant again = variant_from_json(variant_to_json(variants::gla_sigmoid));
  EXPECT_EQ(variant_to_json(again), variant_to_json(variants::gla_sigmoid));
}

}  // namespace
}  // namespace rankone
