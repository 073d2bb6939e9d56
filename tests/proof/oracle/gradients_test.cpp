// SPDX-License-Identifier: MIT
// The oracle's gradients: against differences of its outputs over the catalogue, and by hand where there are none.
#include <gtest/gtest.h>

#include <limits>

#include <rankone/dsl.hpp>

#include "tests/proof/oracle/differences.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const Dims small{.batch = 2, .tokens = 5, .heads = 2, .value_heads = 4, .key_dim = 3, .value_dim = 2, .sequences = 2};

Problem problem_of(const Variant& variant, Dims dims = small, RandomInputs inputs = {}, CompileOptions options = {}) {
  options.key_dim = static_cast<int>(dims.key_dim), options.value_dim = static_cast<int>(dims.value_dim);
  options.slot_dim = static_cast<int>(dims.slot_dim);
  options.dtype = dtype::f32;
  return random_problem(variant, options, dims, inputs);
}
const OracleTensor& named(const std::vector<NamedOracleTensor>& all, std::string_view name) {
  return std::ranges::find(all, name, &NamedOracleTensor::name)->tensor;
}

class Catalogue : public testing::TestWithParam<int> {};

TEST_P(Catalogue, AgreesWithDifferences) {
  const Variant& variant = catalogue()[static_cast<std::size_t>(GetParam())];
  const Problem problem = problem_of(variant);
  SCOPED_TRACE(variant.name.view());
  Differences(problem).expect_agreement();
}
INSTANTIATE_TEST_SUITE_P(Gradients, Catalogue, testing::Range(0, static_cast<int>(std::size(catalogue()))),
                         [](const auto& info) {
                           return std::string(catalogue()[static_cast<std::size_t>(info.param)].name.view());
                         });

// More than a run of kept states, packed and empty sequences, states the other way round, no initial state. The short run has
// every seventh of these, in turn.
void expect_agreement_in_every_shape(const Variant& variant) {
  static std::size_t number = 0;
  Dims many = small, packed = small;
  many.tokens = 23, packed.batch = 1, packed.tokens = 11;
  const Problem shapes[] = {problem_of(variant, many), problem_of(variant, packed, {.packed = true}),
                            problem_of(variant, small, {}, {.value_major_state = true}),
                            problem_of(variant, small, {.initial_state = false})};
  for (const Problem& shape : shapes)
    if (test::runs_in_turn(number++, 2 * std::size(shapes) - 1)) Differences(shape).expect_agreement();
}

// One token, too.
TEST(Gradients, OfEveryShapeAgreeWithDifferences) {
  Dims one = small;
  one.tokens = 1;
  for (const Variant& variant : {variants::kda, variants::rwkv7, variants::rwkv6.reversed(), variants::rwkv6.permuted(),
                                 variants::kda.reversed().permuted(), variants::rwkv6.bidirectional(),
                                 variants::kda.output(read() * sigmoid(value() + read())).bidirectional(),
                                 variants::comba.bidirectional().permuted()}) {
    SCOPED_TRACE(describe(variant));
    Differences(problem_of(variant, one)).expect_agreement();
    expect_agreement_in_every_shape(variant);
  }
}

// A complex state, by all that may stand beside a phase.
TEST(Gradients, OfPhasesAgreeWithDifferences) {
  const Variant turning = variant("turning").decay(per_key(log_sigmoid(input("x")))).phase(per_key(3 * input("p")));
  const Variant columns =
      variant("columns").decay(full(-softplus(param("A")))).phase(per_head(input("p") + param("c")));
  const Variant scaled =
      variant("scaled").decay(per_head(log_sigmoid(input("f")))).phase(per_key(input("p") * param("w")));
  for (const Variant& variant : {turning, turning.exclusive().reversed()}) {
    SCOPED_TRACE(describe(variant));
    expect_agreement_in_every_shape(variant);
  }
  for (const Variant& variant :
       {turning.bonus(param("u")).key(key() * (1 - decay())), turning.steps(2), turning.feature_map(taylor), columns,
        columns.output(read() * sigmoid(value() + read())), variant("turned").phase(constant(param("w"))).permuted(),
        scaled.write_log_scale(input("i")).output(tanh(read() / unit()))}) {
    SCOPED_TRACE(describe(variant));
    const Problem problem = problem_of(variant);
    Differences(problem).expect_agreement();
  }
}

// By vectors of their own, of formulas that share what they read with each other and with the written value.
TEST(Gradients, OfValuesThatEraseAgreeWithDifferences) {
  const Variant plain = variant("plain").decay(per_key(-softplus(input("x")))).value_erase(sigmoid(input("b"))),
                apart = plain.value(silu(value()) + input("w"))
                            .value_erase_read(value() * sigmoid(input("w")))
                            .value_erase_write(tanh(param("c")) * value())
                            .write_scale(sigmoid(input("b") + param("e")));
  const Variant full_one =
      apart.decay(full(-softplus(input("x", value_head_axis | key_axis) + input("y", value_head_axis | value_axis))));
  for (const Variant& variant :
       {plain, plain.erase_undecayed().exclusive(), apart, apart.erase_undecayed().bonus(param("u")), apart.steps(2),
        full_one.reversed(), apart.bidirectional(), plain.feature_map(taylor).permuted()}) {
    SCOPED_TRACE(describe(variant));
    Differences(problem_of(variant)).expect_agreement();
  }
  expect_agreement_in_every_shape(apart);
}

// What a token writes again comes from the one before it, and the first token's from the call before.
TEST(Gradients, OfLaggedWritesAgreeWithDifferences) {
  const Variant again =
      variant("again").decay(per_key(log_sigmoid(input("x")))).write_lagged(sigmoid(input("l")) * param("c"));
  for (const Variant& variant : {variants::mamba3, again.exclusive().reversed()}) {
    SCOPED_TRACE(describe(variant));
    expect_agreement_in_every_shape(variant);
  }
  for (const Variant& variant :
       {again.key(key() * (1 - decay())).value(value() * input("w")).bonus(param("u")), again.feature_map(taylor),
        again.phase(per_key(input("p"))), again.feature_map(exp).normalised(1), again.permuted()}) {
    SCOPED_TRACE(describe(variant));
    const Problem problem = problem_of(variant);
    Differences(problem).expect_agreement();
  }
}

// Features that are made of one element, of two and of none, of their place and of their row.
TEST(Gradients, OfWiderFeaturesAgreeWithDifferences) {
  const Variant gated = variant("gated").decay(per_key(log_sigmoid(input("x")))).key(key() * param("c", key_axis));
  for (const Variant& variant :
       {gated.feature_map(taylor), gated.feature_map(concatenate(softmax(element()), softmax(-element()))),
        gated.feature_map(concatenate(element() * cos(position()), element() * sin(position() * scalar("pace")))),
        gated.feature_map(tanh(element()) * square(other()) + head() / heads())}) {
    SCOPED_TRACE(describe(variant));
    const Problem problem = problem_of(variant);
    Differences(problem).expect_agreement();
  }
}

// Other numbers of keys than of queries, none at all, and packed ones.
TEST(Gradients, OfNonCausalVariantsAgreeWithDifferences) {
  const Variant plain = variant("plain").feature_map(relu).non_causal();
  const Variant gated = variant("gated")
                            .key(key() * sigmoid(input("a")))
                            .value(value() + param("b"))
                            .write_scale(sigmoid(input("w")))
                            .query(query() * input("c"))
                            .output(read() * sigmoid(input("z") + param("b")))
                            .non_causal();
  for (const Variant& variant : {plain, gated})
    for (const std::int64_t keys : {0, 1, 4, 9}) {
      SCOPED_TRACE(describe(variant) + ", Tk=" + std::to_string(keys));
      Dims dims = small;
      dims.key_tokens = keys;
      const Problem problem = problem_of(variant, dims);
      Differences(problem).expect_agreement();
      dims.batch = 1;
      const Problem packed = problem_of(variant, dims, {.packed = true});
      Differences(packed).expect_agreement();
    }
}

// What a column of ones holds decays, is erased and read as values are, and its slopes come back the same way.
constexpr Variant normalised_erasure = variant("normalised_erasure")
                                           .decay(per_key(-softplus(input("x") + param("c"))))
                                           .erase(sigmoid(input("b")))
                                           .erase_read(key() / 2)
                                           .write_scale(sigmoid(input("w")))
                                           .output(read() / (1 + square(normaliser() + value())))
                                           .checked();

TEST(Gradients, OfANormaliserAgreeWithDifferences) {
  for (const Variant& variant : {normalised_erasure, normalised_erasure.erase_undecayed().exclusive(),
                                 normalised_erasure.bonus(param("u")).reversed()}) {
    SCOPED_TRACE(describe(variant));
    expect_agreement_in_every_shape(variant);
  }
}

// Both kinds of scan, read by all that may read one, in a reversed and a permuted walk, too.
TEST(Gradients, OfScansAgreeWithDifferences) {
  const Variant sums = variant("sums")
                           .cumulative_sum(-softplus(input("x") + key()) / 8)
                           .decay(per_key(scanned() - scanned_before()))
                           .key(key() * exp(scanned()))
                           .query(query() * (1.5 + tanh(scanned())))
                           .bonus(param("u") * sigmoid(scanned_before())),
                erasing = variant("erasing")
                              .cumulative_log_sum_exp(key() + param("c", key_axis))
                              .decay(per_key((scanned_before() - scanned()) / 2))
                              .erase(sigmoid(input("b")))
                              .erase_read(key() * sigmoid(scanned()))
                              .normalised(1);
  for (const Variant& variant :
       {variants::lightnet, variants::lightnet.reversed(), sums, erasing.permuted(), sums.feature_map(taylor)}) {
    SCOPED_TRACE(describe(variant));
    expect_agreement_in_every_shape(variant);
  }
}

// Slots other than keys in number, what both passes read, erasures and earlier reads in either, and all axes of parameters.
TEST(Gradients, OfChainsAgreeWithDifferences) {
  const Axes slots{Axes::value_head, Axes::slot};
  const Variant rich = variant("rich")
                           .feature_map(silu)
                           .decay(full(log_sigmoid(input("x", value_head_axis | key_axis)) / 2 +
                                       log_sigmoid(input("g", slots) + param("c", slots))))
                           .value(tanh(input("s") * param("c")))
                           .bonus(param("u"))
                           .output(read() * sigmoid(input("s")))
                           .then(second_pass()
                                     .decay(per_key(log_sigmoid(input("g") + param("c"))))
                                     .key(sigmoid(input("s", slots)) / 2)
                                     .value(value() * input("w"))
                                     .erase(sigmoid(input("b")))
                                     .query(softmax(passed() * param("t", {Axes::slot})))
                                     .output(read() + value() * param("d"))
                                     .exclusive()),
                erasing = variant("erasing")
                              .decay(per_head(log_sigmoid(input("f"))))
                              .value(sigmoid(input("s")))
                              .erase(sigmoid(input("b")))
                              .then(second_pass()
                                        .decay(per_value(log_sigmoid(input("z"))))
                                        .key(sigmoid(input("s")))
                                        .value_erase(sigmoid(input("b")) / 4)
                                        .erase_undecayed()
                                        .query(l2_normalize(passed(), 1)));
  const Variant sums = variant("sums")
                           .cumulative_sum(-softplus(input("s") + param("c")))
                           .decay(per_value((scanned() - scanned_before()) / 4))
                           .value(exp(scanned() / 8))
                           .then(second_pass()
                                     .decay(per_key((scanned() - scanned_before()) / 4))
                                     .key(tanh(scanned_before()))
                                     .query(passed() + scanned()));
  Dims dims = small;
  dims.slot_dim = 4;
  std::size_t number = 0;
  for (const Variant& variant : {variants::gsa, variants::abc, rich, erasing.reversed(), sums, sums.permuted()})
    for (const bool packed : {false, true}) {
      if (!test::runs_in_turn(number++, 5)) continue;
      SCOPED_TRACE(describe(variant));
      dims.batch = packed ? 1 : 2, dims.tokens = packed ? 11 : 5;
      const Problem problem = problem_of(variant, dims, {.packed = packed}, {.value_major_state = packed});
      Differences(problem).expect_agreement();
    }
}

// As far as the running maximum goes either way, and where it takes turns with decays.
TEST(Gradients, BesideARunningMaximumAgreeWithDifferences) {
  Dims many = small;
  many.tokens = 7;
  const Variant scaled = variants::mlstm.write_scale(sigmoid(input("w"))).reversed(),
                undecayed = variant("undecayed").write_log_scale(input("i")).output(read() / unit() + value());
  for (const Variant& variant : {variants::mlstm, scaled, undecayed})
    for (const double by : {1.0, 20.0}) {
      SCOPED_TRACE(describe(variant));
      const Problem problem = problem_of(variant, many, {.initial_state = by > 1});
      Differences differences(problem);
      for (double& each : differences["i"].values) each *= variant == undecayed ? 1 : by;
      differences.expect_agreement();
    }
}

// An empty sequence hands the slope of its final state on, beside one that has tokens.
TEST(Gradients, OfNoTokensAreThoseOfTheState) {
  std::vector<double> tokens(3, 0.5), final_slope = {1, 2, 3};
  const std::vector<std::int64_t> shape = {1, 3, 1, 1};
  std::vector<std::int32_t> offsets = {0, 3, 3, 3};
  const Tensor token = Tensor::of(tokens.data(), shape), gates = Tensor::of(tokens.data(), {1, 3, 1});
  BackwardArguments arguments{.q = token, .k = token, .v = token, .inputs = {{"x", gates}, {"bias", {}}}};
  double bias = 0.25;
  arguments.inputs[1].tensor = Tensor::of(&bias, {1});
  arguments.do_ = token;
  arguments.cu_seqlens = Tensor::of(offsets.data(), {4});
  arguments.dfinal_state = Tensor::of(final_slope.data(), {3, 1, 1, 1});
  const Variant gated = variant("gated").decay(per_head(log_sigmoid(input("x") + param("bias"))));
  auto gradients = oracle_gradients(gated, arguments);
  EXPECT_EQ(named(gradients, "dinitial_state").values[1], 2);
  EXPECT_EQ(named(gradients, "dinitial_state").values[2], 3);
  EXPECT_NE(named(gradients, "dbias").values[0], 0);

  for (Tensor* each : {&arguments.q, &arguments.k, &arguments.v, &arguments.do_, &arguments.inputs[0].tensor})
    each->shape[1] = 0;
  offsets = {0, 0, 0, 0};
  gradients = oracle_gradients(gated, arguments);
  EXPECT_EQ(named(gradients, "dinitial_state").values, final_slope);
  EXPECT_EQ(named(gradients, "dbias").values, (std::vector<double>{0}));
}

TEST(Gradients, OfErasuresByNothingByAllAndByTwice) {
  for (const double beta : {0.0, 1.0, 2.0})
    for (const Variant& variant : {variants::delta, variants::gated_delta, variants::comba}) {
      SCOPED_TRACE(describe(variant));
      const Problem problem = problem_of(variant);
      Differences differences(problem);
      std::ranges::fill(differences["beta"].values, beta);
      differences.expect_agreement();
    }
}

// A decay of 0 forgets all that was; of a reset nothing comes back, and its own gradient is 0.
TEST(Gradients, OfResetsAndOfNoDecay) {
  for (const Variant& variant : {variants::gla, variants::kda, variants::simple_gla}) {
    SCOPED_TRACE(describe(variant));
    const Problem problem = problem_of(variant);
    Differences undecayed(problem);
    std::ranges::fill(undecayed["g"].values, 0.0);
    undecayed.expect_agreement();

    Differences differences(problem);
    std::ranges::fill(differences["g"].values, -infinity);
    for (const NamedOracleTensor& each : differences.gradients()) {
      for (const double value : each.tensor.values) ASSERT_TRUE(std::isfinite(value)) << each.name;
      if (each.name != "dg" && each.name != "dinitial_state") continue;
      for (const double value : each.tensor.values) ASSERT_EQ(value, 0) << each.name;
    }
  }
}

// Nothing comes back through a reset, and all through the tokens behind it.
TEST(Gradients, StopAtAReset) {
  Dims dims = small;
  dims.batch = dims.sequences = 1, dims.heads = dims.value_heads = 1;
  const Problem problem = problem_of(variants::simple_gla, dims);
  Differences differences(problem);
  differences["g"].values[0] = -infinity;
  const auto gradients = differences.gradients();
  EXPECT_EQ(named(gradients, "dg").values[0], 0);
  EXPECT_NE(named(gradients, "dg").values[1], 0);
  for (const double value : named(gradients, "dinitial_state").values) EXPECT_EQ(value, 0);
}

// What a choice leaves out has no gradient, where its own slope is infinite, too: the logarithm of 0 here.
TEST(Gradients, OfWhatAChoiceLeavesOut) {
  const Problem problem = problem_of(variants::rodimus);
  Differences differences(problem);
  std::ranges::fill(differences["x"].values, -2000.0);
  for (const NamedOracleTensor& each : differences.gradients())
    for (const double value : each.tensor.values) ASSERT_TRUE(std::isfinite(value)) << each.name;
}

// o = scale * q k v, by hand.
TEST(Gradients, OfOneNumber) {
  double q = 2, k = 3, v = 5, slope = 7;
  const std::vector<std::int64_t> shape = {1, 1, 1, 1};
  BackwardArguments arguments{.q = Tensor::of(&q, shape), .k = Tensor::of(&k, shape), .v = Tensor::of(&v, shape)};
  arguments.scale = 0.5;
  arguments.do_ = Tensor::of(&slope, shape);
  const auto gradients = oracle_gradients(variants::linear, arguments);
  EXPECT_DOUBLE_EQ(named(gradients, "dq").values[0], 0.5 * 7 * 3 * 5);
  EXPECT_DOUBLE_EQ(named(gradients, "dk").values[0], 0.5 * 7 * 2 * 5);
  EXPECT_DOUBLE_EQ(named(gradients, "dv").values[0], 0.5 * 7 * 2 * 3);
  EXPECT_DOUBLE_EQ(named(gradients, "dinitial_state").values[0], 0.5 * 7 * 2);
  arguments.do_ = {};
  EXPECT_THROW(oracle_gradients(variants::linear, arguments), Error);
}

}  // namespace
}  // namespace rankone
