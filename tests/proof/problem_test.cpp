// SPDX-License-Identifier: MIT
// Random inputs: reproducible, of the right shapes, and such that the variant's formulas have values.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <rankone/compile.hpp>
#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/ports.hpp"
#include "proof/draw.hpp"
#include "proof/problem.hpp"
#include "proof/timer.hpp"
#include "proof/verify.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

const Dims dims{.batch = 1, .tokens = 40, .heads = 2, .value_heads = 4, .key_dim = 16, .value_dim = 24};
const CompileOptions options{.key_dim = 16, .value_dim = 24};

TEST(Problem, EveryVariantOfTheCatalogueHasInputsAndFiniteResults) {
  for (const Variant& variant : catalogue())
    for (const bool packed : {false, true}) {
      Problem problem = random_problem(variant, options, dims, {.seed = 5, .packed = packed});
      for (const HostTensor& result : reference_outputs(problem))
        for (std::int64_t i = 0; i < product(result.shape); ++i)
          ASSERT_TRUE(std::isfinite(load(result.bytes.data(), result.type, i)))
              << variant.name.view() << " " << result.name;
    }
}

// What a query reads of a sum that is drawn for it is far from 0, as of one that keys left.
TEST(Problem, SumsOfNormalisersHaveNoSign) {
  for (const Pass pass : {Pass::forward, Pass::decode}) {
    const Dims few{.batch = 3, .tokens = 2, .heads = 1, .value_heads = 2, .key_dim = 4, .value_dim = 2};
    Problem problem = random_problem(variants::based, {.key_dim = 4, .value_dim = 2}, few, {.seed = 5, .pass = pass});
    const Tensor sum = problem.find(pass == Pass::decode ? "state_sum" : "initial_state_sum")->view();
    ASSERT_EQ(sum.shape[2], 1 + 4 + 4 * 4);
    for (std::int64_t n = 0; n < sum.shape[0]; ++n)
      for (std::int64_t head = 0; head < 2; ++head)
        for (std::int64_t i = 0; i < 21; ++i) {
          const double value =
              load(sum.data, sum.type, n * sum.strides[0] + head * sum.strides[1] + i * sum.strides[2]);
          const bool squared = i == 0 || i == 5 || i == 10 || i == 15 || i == 20;  // 1, and an element by itself
          EXPECT_TRUE(squared ? value >= 1 : value == 0) << n << " " << head << " " << i << " " << value;
        }
  }
}

// Whatever backward reads is there, and drawn.
TEST(Problem, OfBackwardHasSlopesToo) {
  Problem problem = random_problem(variants::gla, options, dims, {.seed = 5, .packed = true, .pass = Pass::backward});
  for (const Port& port : ports(variants::gla, options, Pass::backward)) {
    const HostTensor* const tensor = problem.find(port.name);
    EXPECT_EQ(tensor != nullptr, !port.writable) << port.name;
    if (tensor == nullptr) continue;
    EXPECT_EQ(tensor->shape, sizes_of(port.axes, problem.dims)) << port.name;
  }
  EXPECT_NE(problem.find("do")->bytes, problem.find("v")->bytes);
  EXPECT_EQ(written_ports(problem).size(), 5u) << "dq, dk, dv, dinitial_state, dg";
}

TEST(Problem, EveryVariantHasFiniteGradients) {
  for (const Variant& variant : catalogue()) {
    Problem problem = random_problem(variant, options, dims, {.seed = 5, .pass = Pass::backward});
    for (const HostTensor& result : reference_outputs(problem))
      for (std::int64_t i = 0; i < product(result.shape); ++i)
        ASSERT_TRUE(std::isfinite(load(result.bytes.data(), result.type, i)))
            << variant.name.view() << " " << result.name;
  }
}

TEST(Problem, TheSameSeedGivesTheSameBytes) {
  const Variant& variant = *find_variant("gla");
  const Problem a = random_problem(variant, options, dims, {.seed = 5}),
                b = random_problem(variant, options, dims, {.seed = 5}),
                c = random_problem(variant, options, dims, {.seed = 6});
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].bytes, b.tensors[i].bytes);
    EXPECT_NE(a.tensors[i].bytes, c.tensors[i].bytes);
  }
}

TEST(Problem, BoundariesAndTheScaleOfGatesAreTheCallers) {
  const Variant& variant = *find_variant("gla_sigmoid");
  CompileOptions exact = options;
  exact.dtype = dtype::f32;
  Problem plain = random_problem(variant, exact, dims, {.seed = 5}),
          scaled = random_problem(variant, exact, dims, {.seed = 5, .boundaries = {0, 7, 40}, .gate_scale = 600});
  EXPECT_EQ(scaled.dims.sequences, 2);
  ASSERT_NE(scaled.find("cu_seqlens"), nullptr);
  for (const auto& [index, wanted] : {std::pair{0, 0}, {1, 7}, {2, 40}})
    EXPECT_EQ(load(scaled.find("cu_seqlens")->bytes.data(), scaled.find("cu_seqlens")->type, index), wanted);
  EXPECT_EQ(plain.find("q")->bytes, scaled.find("q")->bytes);
  for (std::int64_t i = 0; i < product(plain.find("x")->shape); ++i) {
    const double before = load(plain.find("x")->bytes.data(), plain.find("x")->type, i);
    EXPECT_NEAR(load(scaled.find("x")->bytes.data(), scaled.find("x")->type, i), 600 * before, 1e-3 * std::abs(before));
  }
}

TEST(Problem, DrawsHaveTheirMoments) {
  double sum = 0, squares = 0, highest = -1, lowest = 1;
  constexpr int n = 100'000;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double normal = draw(Distribution::normal, 1, 2, i), gate = draw(Distribution::log_sigmoid, 1, 2, i);
    sum += normal;
    squares += normal * normal;
    highest = std::max(highest, gate);
    lowest = std::min(lowest, draw(Distribution::uniform, 1, 2, i));
  }
  EXPECT_NEAR(sum / n, 0, 0.02);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_LT(highest, 0);
  EXPECT_GT(lowest, 0);
}

TEST(Problem, PackedSequencesAreEmptyAtBothEndsAndInside) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Problem problem = random_problem(*find_variant("gla"), options, dims, {.seed = seed, .packed = true});
    const HostTensor* offsets = problem.find("cu_seqlens");
    ASSERT_NE(offsets, nullptr);
    const auto at = [&](std::int64_t i) { return load(offsets->bytes.data(), offsets->type, i); };
    const std::int64_t n = offsets->shape[0] - 1;
    EXPECT_EQ(problem.dims.sequences, n);
    EXPECT_EQ(at(0), 0);
    EXPECT_EQ(at(n), 40);
    EXPECT_EQ(at(0), at(1));
    EXPECT_EQ(at(n - 1), at(n));
    bool inside = false;
    for (std::int64_t i = 1; i + 1 < n; ++i) {
      EXPECT_LE(at(i), at(i + 1));
      inside = inside || at(i) == at(i + 1);
    }
    EXPECT_TRUE(inside);
  }
}

TEST(Problem, GateInputsAreChosenByWhatTheFormulasNeed) {
  const auto given = choose_draws(*find_variant("gla"), dims, {});
  EXPECT_EQ(given.of("g"), Distribution::log_sigmoid);
  EXPECT_EQ(choose_draws(*find_variant("gla_sigmoid"), dims, {}).of("x"), Distribution::normal);
  EXPECT_EQ(choose_draws(*find_variant("hgrn2"), dims, {}).of("lower_bound"), Distribution::uniform);
  const Variant growing = variant("growing").decay(per_head(square(input("x")) + 1));
  EXPECT_THROW(choose_draws(growing, dims, {}), Error);
  const Variant rooted = variant("rooted").feature_map(rankone::sqrt(element()));
  EXPECT_EQ(choose_draws(rooted, dims, {}).element, Distribution::uniform);
}

// A log-decay that reads no tensor is known beforehand, with scalars or without.
TEST(Problem, DecaysThatGrowByThemselvesAreRefused) {
  const auto said = [](const Variant& variant, std::int64_t value_heads, std::int64_t tokens,
                       const std::vector<NamedScalar>& scalars = {}) {
    Dims sizes = dims;
    sizes.heads = 1, sizes.value_heads = value_heads, sizes.tokens = tokens;
    try {
      require_sound_parts(variant, sizes, scalars);
      return std::string("accepted");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_EQ(error.message(), "a log-decay is above 0");
      return error.given();
    }
  };
  const Variant by_head = variant("by_head").decay(constant((head() - 2) / 10)),
                by_position = variant("by_position").decay(per_head((position() - 1000) / 10)),
                by_both = variant("by_both").decay(per_head((position() - 10 - 20 * head()) / 10)),
                by_scalar = variant("by_scalar").decay(constant(scalar("s"))),
                with_tensor = variant("with_tensor").decay(per_head(input("x") + position()));
  EXPECT_EQ(said(by_head, 3, 5), "accepted");
  EXPECT_EQ(said(by_head, 4, 5), "(head() - 2) / 10 with head() = 3");
  EXPECT_EQ(said(by_head, 1000, 5).substr(0, 24), "(head() - 2) / 10 with h");
  EXPECT_EQ(said(by_position, 1, 500), "accepted");
  EXPECT_EQ(said(by_position, 1, 501), "(position() - 1000) / 10 with position() = 1001") << "a sequence may go on";
  EXPECT_NE(said(by_both, 4, 40), "accepted");
  EXPECT_EQ(said(by_both, 2, 6).substr(0, 8), "(positio") << "the first head, at position 11";
  EXPECT_EQ(said(by_scalar, 1, 5, {{"s", 0.5}}), "scalar(s) with s = 0.5");
  EXPECT_EQ(said(by_scalar, 1, 5, {{"s", -0.5}}), "accepted");
  EXPECT_EQ(said(with_tensor, 1, 5), "accepted") << "its tensor decides";
}

TEST(Problem, RefusesScalarsThatAreNotThere) {
  EXPECT_THROW(random_problem(*find_variant("gla"), options, dims, {.scalars = {{"layer", 1}}}), Error);
  const Problem problem = random_problem(*find_variant("lightning"), options, dims, {.scalars = {{"layer", 3}}});
  ASSERT_EQ(problem.scalars.size(), 2u);
  EXPECT_EQ(problem.scalars[0].value, 3);
}

TEST(Problem, RefusesWhatMemoryCannotHold) {
  Dims huge = dims;
  huge.tokens = std::int64_t{1} << 40;
  EXPECT_THROW(random_problem(*find_variant("gla"), options, huge, {}), Error);
  huge.batch = std::int64_t{1} << 40;
  EXPECT_THROW(random_problem(*find_variant("gla"), options, huge, {}), Error);
}

TEST(Timer, MedianOfFewAndMany) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({4, 1}), 2.5);
  EXPECT_EQ(median({9, 1, 5}), 5);
}

double value(const Problem& problem, std::string_view name, std::int64_t i) {
  const auto found = std::ranges::find(problem.tensors, name, &HostTensor::name);
  return load(found->bytes.data(), found->type, i);
}

// What would make the state grow without bound is not drawn: no kernel is right for infinities.
TEST(Problem, ErasuresThatMakeTheStateGrowAreRefused) {
  const auto refused = [](const Variant& variant) {
    try {
      random_problem(variant, options, dims, {});
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  EXPECT_EQ(refused(variant("long_keys").erase(1).key(10 * key())),
            "what is erased of drawn keys makes the state grow on random inputs");
  EXPECT_EQ(refused(variant("long_values").value_erase(1).value(10 * rankone::value())),
            "what is erased of drawn values makes the state grow on random inputs");
  EXPECT_EQ(refused(variant("of_values").key(10 * key()).value_erase(1)), "");
  EXPECT_EQ(refused(variant("negative").erase(-1)), "the erase scale is not from 0 to 2 on random inputs");
  EXPECT_EQ(refused(variant("of_heads")
                        .erase(1)
                        .erase_read(input("a", value_head_axis))
                        .erase_write(input("b", value_head_axis))),
            "");
}

// The rows of slots that a chain's second pass erases by have squares near 1, as keys have that the first erases by.
TEST(Problem, ScalesWhatEitherPassOfAChainErases) {
  CompileOptions wide = options;
  Dims sizes = dims;
  wide.slot_dim = 100, sizes.slot_dim = 100;
  const auto mean_square = [&](const Variant& chain, std::string_view name) {
    const Problem problem = random_problem(chain, wide, sizes, {});
    const auto found = std::ranges::find(problem.tensors, name, &HostTensor::name);
    const std::int64_t elements = product(found->shape);
    double sum = 0;
    for (std::int64_t i = 0; i < elements; ++i) sum += std::pow(value(problem, name, i), 2);
    return sum / static_cast<double>(elements);
  };
  const Variant written = variant("chain").value(input("s")), read = second_pass().key(input("t")).query(passed());
  EXPECT_NEAR(mean_square(written.then(read), "t"), 1, 0.2);
  EXPECT_NEAR(mean_square(written.then(read.erase(0.5)), "t"), 1.0 / 100, 0.002);
  EXPECT_NEAR(mean_square(written.then(read.erase(0.5)), "k"), 1, 0.2);
  EXPECT_NEAR(mean_square(written.erase(0.5).then(read), "k"), 1.0 / static_cast<double>(sizes.key_dim),
              0.3 / static_cast<double>(sizes.key_dim));
  EXPECT_NEAR(mean_square(written.erase(0.5).then(read), "t"), 1, 0.2);
  EXPECT_NEAR(mean_square(written.value_erase(0.5).then(read), "s"), 1.0 / 100, 0.002);
}

TEST(Problem, EqualTokensHaveWeakDecaysAndStrongOnesForget) {
  for (const Variant& variant : catalogue()) {
    const bool adds = variant.has(Formula::erase_write);  // of equal keys more with every token
    const bool by_value = variant.has(Formula::value_erase);
    EXPECT_EQ(is_drawable(variant, dims, {.kind = Inputs::equal}), !adds) << variant.name.view();
    EXPECT_TRUE(is_drawable(variant, dims, {.kind = Inputs::strong})) << variant.name.view();
    if (adds) continue;
    const Problem equal = random_problem(variant, options, dims, {.kind = Inputs::equal});
    // What is erased is as much as the keys' squares are, or the values'.
    const double query = variant.has(Formula::erase) ? 1 / std::sqrt(static_cast<double>(dims.key_dim)) : 1;
    for (const std::int64_t i : {0, 7, 90}) {
      EXPECT_EQ(reads_query(variant) ? value(equal, "q", i) : query, query) << variant.name.view();
      EXPECT_NEAR(value(equal, "v", i), by_value ? 1 / std::sqrt(static_cast<double>(dims.value_dim)) : 1, 1e-4)
          << variant.name.view();
    }
  }
  const Variant &gla = *find_variant("gla"), &fused = *find_variant("gla_sigmoid"), &mamba2 = *find_variant("mamba2");
  EXPECT_EQ(*choose_draws(gla, dims, {}, Inputs::equal).value_of("g"), -1e-4);
  EXPECT_EQ(*choose_draws(fused, dims, {}, Inputs::equal).value_of("x"), 9);
  EXPECT_EQ(*choose_draws(mamba2, dims, {}, Inputs::equal).value_of("dt"), -9);
  EXPECT_EQ(*choose_draws(gla, dims, {}, Inputs::strong).value_of("g"), -20);
  EXPECT_EQ(*choose_draws(fused, dims, {}, Inputs::strong).value_of("x"), -320);
  EXPECT_FALSE(choose_draws(gla, dims, {}, Inputs::strong).value_of("q")) << "drawn";
  const Variant rooted = variant("rooted").feature_map(rankone::sqrt(element() - 2));
  EXPECT_THROW(random_problem(rooted, options, dims, {.kind = Inputs::equal}), Error);
}

}  // namespace
}  // namespace rankone
