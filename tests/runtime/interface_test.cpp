// SPDX-License-Identifier: MIT
// The public interface as a class of a user's sees it: buffers, views of constants, what an operator says of itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <rankone/rankone.hpp>

#include "tests/refusal.hpp"

namespace rankone {
namespace {

using test::refusal;

constexpr std::int64_t T = 5, K = 16;

Operator linear() {
  return compile(variants::linear, {.key_dim = K, .value_dim = K, .dtype = dtype::f32}, Device::cpu());
}

TEST(Buffers, OwnTheirMemoryAndMove) {
  std::vector<float> values = {1, 2, 3, 4}, back(4);
  Buffer first(Device::cpu(), 16);
  first.upload(values.data());
  Buffer second = std::move(first);
  EXPECT_FALSE(static_cast<bool>(first));  // NOLINT(bugprone-use-after-move): what is moved from is empty
  EXPECT_EQ(first.size(), 0u);
  EXPECT_TRUE(first.bytes().empty());
  first.download(back.data());
  EXPECT_EQ(back, std::vector<float>(4)) << "an empty buffer has no bytes";
  Buffer third;
  third = std::move(second);
  EXPECT_EQ(third.size(), 16u);
  EXPECT_EQ(third.bytes().size(), 16u);
  EXPECT_EQ(third.tensor(dtype::f32, {2, 2}).data, third.data());
  EXPECT_NE(refusal([&] { (void)third.tensor(dtype::f32, {5}); }).find("does not fit in the buffer"),
            std::string::npos);
  EXPECT_THROW((void)third.tensor(dtype::f32, {std::int64_t{1} << 62}), Error) << "bytes past 64 bits";
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
}

template <class T>
concept MakesTensor = requires(T* data) {
  Tensor::of(data, {1});
};
static_assert(MakesTensor<const float> && MakesTensor<std::int64_t> && !MakesTensor<void> && !MakesTensor<char>);

TEST(Views, TakeTheTypeOfTheirElements) {
  const std::int32_t offsets[] = {0, 3};
  const Tensor view = Tensor::of(offsets, {2});
  EXPECT_TRUE(view.read_only && view.type == dtype::i32 && view.data == offsets);
  double numbers[6] = {};
  const std::vector<std::int64_t> shape = {2, 2}, strides = {3, 1};
  const Tensor strided = Tensor::of(numbers, shape, strides);
  EXPECT_TRUE(!strided.read_only && strided.type == dtype::f64 && strided.strides[0] == 3);
  EXPECT_EQ(Tensor::view(numbers, dtype::f64, shape, {5, 1}).strides[0], 5);
  EXPECT_THROW(Tensor::view(numbers, dtype::f64, shape, {1}), Error);
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
  EXPECT_TRUE(std::ranges::find(states, "log_decay_total", &TensorInfo::name)->writable);
  for (const TensorInfo& each : op.tensors(Pass::combine)) {
    EXPECT_FALSE(each.optional) << each.name;
    EXPECT_EQ(each.writable, each.name == "final_state") << each.name;
    EXPECT_EQ(each.updated, each.name == "final_state") << each.name;
  }
}

// What combine() only reads may be constant; what it updates may not.
TEST(Operators, CombineWritesWhatItSaysThatItWrites) {
  const Operator op = compile(variants::simple_gla, {.key_dim = K, .value_dim = K, .dtype = dtype::f32}, Device::cpu());
  const std::vector<float> earlier(K * K, 2.0f), total(1, -1.0f);
  std::vector<float> state(K * K, 1.0f);
  const Tensor constant = Tensor::of(earlier.data(), {1, 1, K, K}), sums = Tensor::of(total.data(), {1, 1});
  op.combine(Tensor::of(state.data(), {1, 1, K, K}), sums, constant);
  EXPECT_NEAR(state.back(), 1 + 2 * std::exp(-1.0f), 1e-6);
  EXPECT_NE(refusal([&] { op.combine(constant, sums, constant); }).find("'final_state': a tensor that is written"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              op.combine(Tensor::of(state.data(), {1, 1, K, K}), {}, constant);
            }).find("'log_decay_total': the tensor is missing"),
            std::string::npos);
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
  // And whatever else it has.
  const std::string sentence =
      "linear: the operator does not have this pass; given number 9; accepted: forward, states, combine";
  EXPECT_TRUE(refusal([&] { (void)op.tensors(other); }).starts_with(sentence));
  EXPECT_TRUE(refusal([&] { (void)op.workspace_bytes(shape, other); }).starts_with(sentence));
  EXPECT_NE(refusal([&] { (void)op.workspace_bytes({.batch = -1}, Pass::states); }).find("out of range"),
            std::string::npos);
}

TEST(Variants, GoThroughJsonAndBack) {
  const Variant again = variant_from_json(variant_to_json(variants::gla_sigmoid));
  EXPECT_EQ(variant_to_json(again), variant_to_json(variants::gla_sigmoid));
}

}  // namespace
}  // namespace rankone
