// SPDX-License-Identifier: MIT
// The oracle, the check and the tuner as users call them: public headers alone.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <rankone/rankone.hpp>

#include "tests/refusal.hpp"

namespace rankone {
namespace {

using test::refusal;

constexpr auto weak = variant("weak").decay(per_head(input("g"))).checked();

TEST(Oracle, GivesTheRecurrenceInFloat64) {
  // Two tokens of one head: S = k v, o = q S / sqrt(K), with a decay of one half before the second.
  std::vector<float> q = {1, 2}, k = {3, 4}, v = {5, 6}, g = {0, -0.69314718f};
  const auto tensor = [](std::vector<float>& values) { return Tensor(values.data(), dtype::f32, {1, 2, 1, 1}); };
  const OracleOutputs outputs = oracle(
      weak, {.q = tensor(q), .k = tensor(k), .v = tensor(v), .inputs = {{"g", {g.data(), dtype::f32, {1, 2, 1}}}}});
  EXPECT_EQ(outputs.o.shape, (std::vector<std::int64_t>{1, 2, 1, 1}));
  EXPECT_EQ(outputs.final_state.shape, (std::vector<std::int64_t>{1, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(outputs.o.values[0], 15);
  EXPECT_NEAR(outputs.o.values[1], 2 * (15 * 0.5 + 24), 1e-6);
  EXPECT_NEAR(outputs.final_state.values[0], 15 * 0.5 + 24, 1e-6);
}

TEST(Oracle, NamesWhatIsMissing) {
  std::vector<float> values(4, 1.0f);
  const Tensor tensor(values.data(), dtype::f32, {1, 1, 1, 4});
  EXPECT_EQ(refusal([&] { oracle(weak, {}); }).substr(0, 3), "q: ");
  EXPECT_EQ(refusal([&] { oracle(weak, {.q = tensor, .k = tensor}); }).substr(0, 3), "v: ");
  EXPECT_EQ(refusal([&] { oracle(weak, {.q = tensor, .k = tensor, .v = tensor}); }).substr(0, 3), "g: ");
}

TEST(Check, JudgesEveryOutput) {
  const Operator op = compile(weak, {.key_dim = 16, .value_dim = 16, .dtype = dtype::f32}, Device::cpu());
  for (const bool packed : {false, true}) {
    const CheckReport report = check(op, {.shape = {.tokens = 70, .value_heads = 2}, .packed = packed});
    EXPECT_TRUE(report.ok);
    EXPECT_GE(report.draws, 1);
    ASSERT_EQ(report.tensors.size(), 2u);
    EXPECT_EQ(report.tensors[0].name, "o");
    EXPECT_EQ(report.tensors[1].name, "final_state");
    for (const TensorError& each : report.tensors) {
      EXPECT_GT(each.relative_error, 0) << "something was computed";
      EXPECT_LE(each.relative_error, each.bound);
    }
  }
}

TEST(Check, JudgesDecoding) {
  const Operator op = compile(weak, {.key_dim = 16, .value_dim = 16}, Device::cpu());
  const CheckReport report = check(op, {.shape = {.batch = 4, .tokens = 2}, .pass = Pass::decode});
  EXPECT_TRUE(report.ok);
  ASSERT_EQ(report.tensors.size(), 3u);
  EXPECT_EQ(report.tensors[0].name, "state");
  EXPECT_EQ(report.tensors[1].name, "o");
  EXPECT_EQ(report.tensors[2].name, "token_states");
  for (const TensorError& each : report.tensors) EXPECT_GT(each.relative_error, 0) << each.name;
  EXPECT_NE(refusal([&] { check(op, {.shape = {.batch = 4, .tokens = 9}, .pass = Pass::decode}); }).find("T=9"),
            std::string::npos);
  EXPECT_NE(refusal([&] { check(op, {.pass = Pass::combine}); }).find("forward, backward or decode"), std::string::npos);
}

TEST(Check, RefusesShapesThatAreNotDrawn) {
  const Operator op = compile(weak, {.key_dim = 16, .value_dim = 16}, Device::cpu());
  for (const Shape& shape :
       {Shape{.batch = 0}, Shape{.tokens = 0}, Shape{.heads = 2, .value_heads = 3}, Shape{.tokens = 9, .sequences = 2}})
    EXPECT_EQ(refusal([&] { check(op, {.shape = shape}); }).substr(0, 42),
              "check: no inputs of this shape are drawn; ");
  EXPECT_NE(refusal([&] { check(op, {.shape = {.batch = 2}, .packed = true}); }).find("B=1"), std::string::npos);
  EXPECT_NE(refusal([&] { check(Operator{}); }).find("an empty operator"), std::string::npos);
}

TEST(Tune, RefusesWhatCannotBeTimed) {
  const CompileOptions options{.key_dim = 16, .value_dim = 16};
  EXPECT_NE(refusal([&] { tune(weak, options, {}, Device::cpu()); }).find("accepted: a CUDA GPU"), std::string::npos);
  EXPECT_NE(refusal([&] { tune(weak, options, {}, Device::cpu(), {.budget = 0}); }).find("seconds above 0"),
            std::string::npos);
  EXPECT_NE(refusal([&] { tune(weak, options, {.tokens = 0}, Device::cpu()); }).find("T=0"), std::string::npos);
}

}  // namespace
}  // namespace rankone
