// SPDX-License-Identifier: MIT
// A right kernel passes on any shape and seed, however few elements there are to judge.
#include "proof/verify.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include <rankone/check.hpp>
#include <rankone/compile.hpp>
#include <rankone/dsl.hpp>

#include "proof/oracle/compare.hpp"
#include "proof/problem.hpp"

namespace rankone {
namespace {

double rounded(double value) {  // to bf16, whose numbers have eight bits
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(mantissa * 256) / 256, exponent);
}

// One output of one token, with every rounding that a kernel does: keys and queries with their decays, scores, the state
// that came in, and the result.
struct Element {
  double right, computed;
};
Element element_of(std::mt19937_64& generator, int keys) {
  std::normal_distribution<double> normal;
  const double value = rounded(normal(generator)), scale = 1 / std::sqrt(keys);
  double right = 0, score = 0, carried = 0;
  for (int k = 0; k < keys; ++k) {
    const double query = rounded(normal(generator)), key = rounded(normal(generator)), state = normal(generator);
    const double decay = std::pow(1 / (1 + std::exp(-normal(generator))), 1.0 / 16);
    right += scale * query * (decay * state + key * value);
    const double decayed = rounded(scale * query * decay);
    score += decayed * rounded(key / decay);
    carried += decayed * rounded(state);
  }
  return {right, rounded(rounded(score) * value + carried)};
}

// The elements as draws of one each, as check takes them.
bool passes(const std::vector<Element>& elements, double factor, double bound) {
  std::vector<double> right, computed;
  for (const Element& each : elements) {
    right.push_back(each.right);
    computed.push_back(each.computed * factor);
  }
  std::vector<Compared> draws;
  for (std::size_t i = 0; i < elements.size(); ++i)
    draws.push_back({Tensor(&computed[i], dtype::f64, {1, 1}), Tensor(&right[i], dtype::f64, {1, 1})});
  const Comparison comparison = compare(draws, bound);
  return comparison.within(bound * allowance_for(comparison.effective_rows));
}

TEST(Verify, TakesTheWorstRoundingsOfFewElements) {
  constexpr double bound = 3.2e-3;
  std::mt19937_64 generator(1);
  for (const int keys : {1, 2, 4, 16})
    for (const int count : {64, 256, 1024})
      for (int trial = 0; trial < 20'000 / count; ++trial) {
        std::vector<Element> elements;
        for (int i = 0; i < count; ++i) elements.push_back(element_of(generator, keys));
        ASSERT_TRUE(passes(elements, 1, bound)) << keys << " keys, " << count << " elements, trial " << trial;
        ASSERT_FALSE(passes(elements, 1.05, bound)) << "a twentieth too much is wrong";
      }
}

TEST(Verify, AllowsNothingMoreOfManyElements) {
  EXPECT_EQ(allowance_for(4096), 1);
  EXPECT_EQ(allowance_for(1e9), 1);
  EXPECT_GT(allowance_for(64), 1.5);
  EXPECT_LT(allowance_for(0), 6);
}

TEST(Verify, PassesTinyShapesWithAnySeed) {
  const Device device = Device::cpu();
  for (const char* name : {"gla_sigmoid", "hgrn2", "mamba2", "linear"})
    for (const Dims& dims : {Dims{}, Dims{.tokens = 2}, Dims{.key_dim = 3}, Dims{.value_dim = 17},
                             Dims{.tokens = 5, .key_dim = 2, .value_dim = 2}}) {
      const CompileOptions options{.key_dim = static_cast<int>(dims.key_dim),
                                   .value_dim = static_cast<int>(dims.value_dim)};
      const Operator op = compile(*find_variant(name), options, device);
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const CheckReport report = check(op, {.shape = {.tokens = dims.tokens}, .seed = seed, .packed = seed % 2 == 0});
        for (const TensorError& each : report.tensors)
          EXPECT_TRUE(each.ok) << name << " " << to_string(dims) << " seed " << seed << ": " << each.name << " "
                               << each.relative_error << " > " << each.bound << " of " << each.inputs << " inputs";
        EXPECT_TRUE(report.ok);
      }
    }
}

}  // namespace
}  // namespace rankone
