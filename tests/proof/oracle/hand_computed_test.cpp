// SPDX-License-Identifier: MIT
// The oracle against recurrences worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include <rankone/dsl.hpp>

#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

const double infinity = std::numeric_limits<double>::infinity();

// One head of one value; `o` and `final_state` are left by run().
struct OneHead {
  std::int64_t tokens, key_dim;
  Array q, k, v, o, final_state;
  std::vector<std::pair<std::string, Array>> inputs;
  std::vector<NamedScalar> scalars;
  double scale = 1;

  OneHead(std::int64_t t, std::int64_t key, std::vector<double> queries, std::vector<double> keys,
          std::vector<double> values)
      : tokens(t), key_dim(key), q({1, t, 1, key}, std::move(queries)), k({1, t, 1, key}, std::move(keys)),
        v({1, t, 1, 1}, std::move(values)), o({1, t, 1, 1}), final_state({1, 1, key, 1}) {}

  void run(const Variant& variant) {
    ForwardArguments arguments{.q = q.tensor(), .k = k.tensor(), .v = v.tensor()};
    for (auto& [name, array] : inputs) arguments.inputs.push_back({name, array.tensor()});
    arguments.scalars = scalars;
    arguments.scale = scale;
    arguments.o = o.tensor();
    arguments.final_state = final_state.tensor();
    oracle_forward(variant, {}, arguments);
  }
};

TEST(HandComputed, WithoutDecayTheStateIsASum) {
  OneHead call(3, 2, {1, 1, 1, 2, 1, -1}, {1, 0, 0, 1, 1, 1}, {2, 3, 5});
  call.run(variants::linear);
  EXPECT_EQ(call.o.values, (std::vector<double>{2, 8, -1}));  // states (2, 0), (2, 3), (7, 8)
  EXPECT_EQ(call.final_state.values, (std::vector<double>{7, 8}));
}

TEST(HandComputed, ScaleIsTheRootOfKUnlessSaid) {
  OneHead call(1, 4, {1, 1, 1, 1}, {1, 1, 1, 1}, {3});
  call.scale = 0;
  call.run(variants::linear);
  EXPECT_EQ(call.o[0], 6);  // 12 / sqrt(4)
  call.run(variant("scaled").scale(10));
  EXPECT_EQ(call.o[0], 120);
  call.scale = 0.25;  // the run-time value wins
  call.run(variant("scaled").scale(10));
  EXPECT_EQ(call.o[0], 3);
}

TEST(HandComputed, PerHeadDecayHalvesTheState) {
  OneHead call(3, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1});
  const double half = std::log(0.5);
  call.inputs.push_back({"g", Array({1, 3, 1}, {half, half, half})});
  call.run(variants::simple_gla);
  EXPECT_DOUBLE_EQ(call.o[0], 1);
  EXPECT_DOUBLE_EQ(call.o[1], 1.5);
  EXPECT_DOUBLE_EQ(call.o[2], 1.75);
}

TEST(HandComputed, PerKeyDecayActsOnEachRow) {
  OneHead call(2, 2, {1, 1, 1, 10}, {1, 1, 1, 1}, {4, 2});
  call.inputs.push_back({"g", Array({1, 2, 1, 2}, {0, 0, std::log(0.5), std::log(0.25)})});
  call.run(variants::gla);
  EXPECT_DOUBLE_EQ(call.o[1], (4 * 0.5 + 2) + 10 * (4 * 0.25 + 2));
}

TEST(HandComputed, AResetLeavesExactZeros) {
  for (const double log_decay : {-1000.0, -infinity}) {
    OneHead call(3, 2, {1, 1, 1, 1, 1, 1}, {1e30, 1e30, 1, 0, 0, 0}, {1e30, 7, 5});
    call.inputs.push_back({"g", Array({1, 3, 1, 2}, {0, 0, log_decay, log_decay, 0, 0})});
    call.run(variants::gla);
    EXPECT_EQ(call.o[1], 7) << log_decay;
    EXPECT_EQ(call.o[2], 7) << log_decay;
    EXPECT_EQ(call.final_state.values, (std::vector<double>{7, 0})) << log_decay;
  }
}

TEST(HandComputed, ConstantDecayDependsOnTheHead) {
  // Lightning with 2 heads, layer 1 of 2: log-decays 0 and -(8 / 2) (1 - 1 / 2) 1 = -2.
  Array q({1, 2, 2, 1}, {1, 1, 1, 1}), k = q, v = q, o({1, 2, 2, 1});
  ForwardArguments arguments{.q = q.tensor(), .k = k.tensor(), .v = v.tensor()};
  arguments.scalars = {{"layer", 1}, {"layers", 2}};
  arguments.o = o.tensor();
  oracle_forward(variants::lightning, {}, arguments);
  EXPECT_DOUBLE_EQ(o[2], 2);
  EXPECT_DOUBLE_EQ(o[3], 1 + std::exp(-2.0));
}

TEST(HandComputed, TheKeyIsOneMinusTheDecay) {
  OneHead call(2, 1, {1, 1}, {999, 999}, {3, 5});
  call.inputs.push_back({"x", Array({1, 2, 1, 1}, {0, 0})});  // sigmoid 1/2
  call.inputs.push_back({"lower_bound", Array({1, 1}, {0.5})});
  call.run(variants::hgrn2);  // decay 0.75, key 0.25; k is not read
  EXPECT_DOUBLE_EQ(call.o[0], 0.75);
  EXPECT_DOUBLE_EQ(call.o[1], 0.75 * 0.75 + 0.25 * 5);
}

TEST(HandComputed, TheStepSizeScalesTheWrite) {
  OneHead call(2, 1, {1, 1}, {2, 2}, {3, 3});
  const double step_size = std::log(2.0);  // softplus(0)
  call.inputs.push_back({"dt", Array({1, 2, 1}, {1, 1})});
  call.inputs.push_back({"dt_bias", Array({1}, {-1})});
  call.inputs.push_back({"A_log", Array({1}, {0})});
  call.scale = 0;  // the variant's own: 1
  call.run(variants::mamba2);
  EXPECT_DOUBLE_EQ(call.o[0], 6 * step_size);
  EXPECT_DOUBLE_EQ(call.o[1], 6 * step_size * 0.5 + 6 * step_size);
}

TEST(HandComputed, TheFeatureMapActsOnQueriesAndKeys) {
  OneHead call(2, 2, {-1, 2, 1, 1}, {-5, 3, 2, -1}, {1, 10});
  call.run(variant("mapped").feature_map(relu));
  EXPECT_EQ(call.o.values, (std::vector<double>{6, 23}));  // states (0, 3), (20, 3); queries (0, 2), (1, 1)
  call.run(variant("keyed").feature_map(relu).key(key() + 1));
  EXPECT_EQ(call.o.values, (std::vector<double>{8, 45}));  // keys (1, 4), (3, 1): states (1, 4), (31, 14)
}

TEST(HandComputed, PositionCountsWithinTheSequence) {
  Array q({1, 4, 1, 1}, {1, 1, 1, 1}), k = q, v = q, o({1, 4, 1, 1});
  std::vector<std::int32_t> boundaries = {0, 1, 4};
  ForwardArguments arguments{.q = q.tensor(), .k = k.tensor(), .v = v.tensor()};
  arguments.cu_seqlens = Tensor(boundaries.data(), dtype::i32, {3});
  arguments.o = o.tensor();
  oracle_forward(variant("positional").write_scale(position() + 1), {}, arguments);
  EXPECT_EQ(o.values, (std::vector<double>{1, 1, 3, 6}));
}

TEST(HandComputed, WriteScalesMayBeExponentialsOfAnySize) {
  const Variant variant = rankone::variant("scaled")
                              .decay(per_head(input("g")))
                              .write_log_scale(input("i"))
                              .output(read() / max(abs(normaliser()), unit()));
  const auto outputs = [&](std::vector<double> log_decays, std::vector<double> log_scales) {
    OneHead call(4, 1, {1, 1, 0, 1}, {1, 1, 1, 1}, {2, 4, 5, 6});
    call.inputs.push_back({"g", Array({1, 4, 1}, std::move(log_decays))});
    call.inputs.push_back({"i", Array({1, 4, 1}, std::move(log_scales))});
    call.run(variant);
    std::vector<double> all = call.o.values;
    all.push_back(call.final_state[0]);
    return all;
  };
  // The last number is the state in units of exp(1000), or of what has been written since.
  EXPECT_EQ(outputs({0, 0, 0, 0}, {1000, 1000, -1000, -infinity}), (std::vector<double>{2, 3, 0, 3, 6}));
  EXPECT_EQ(outputs({0, -infinity, 0, 0}, {1000, 0, 0, -1000}), (std::vector<double>{2, 4, 0, 4.5, 9}));
  EXPECT_EQ(outputs({0, 0, -1000, 0}, {-infinity, -infinity, 700, 0}), (std::vector<double>{0, 0, 0, 5, 5}));
  const std::vector<double> small = outputs({0, 0, 0, 0}, {-1000, -1000, -1000, -1000});
  for (int t = 0; t < 4; ++t) EXPECT_NEAR(small[static_cast<std::size_t>(t)], 0, 1e-290);
  EXPECT_EQ(small.back(), 17);
}

}  // namespace
