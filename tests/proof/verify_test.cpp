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
#include "runtime/convert.hpp"
#include "tests/whole_matrix.hpp"

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

// What runs here is the definition, rounded as a kernel's outputs are; then one gradient is a hundredth too large.
TEST(Verify, ComparesEveryGradient) {
  const Dims dims{.batch = 1, .tokens = 20, .heads = 1, .value_heads = 2, .key_dim = 8, .value_dim = 8};
  const CompileOptions options{.key_dim = 8, .value_dim = 8, .dtype = dtype::f16};
  const auto draw = [&](int i) {
    return random_problem(variants::mamba2, options, dims, {.seed = seed_of_draw(3, i), .pass = Pass::backward});
  };
  const auto run = [](std::string_view wrong) {
    return [wrong](const Problem& given) {
      Problem problem = given;
      const std::vector<Port> written = written_ports(problem);
      std::vector<HostTensor> results;
      for (const HostTensor& exact : reference_outputs(problem)) {
        HostTensor& result =
            results.emplace_back(make_tensor(exact.name, find_port(written, exact.name)->type, exact.shape));
        for (std::int64_t i = 0; i < product(exact.shape); ++i)
          store(result.bytes.data(), result.type, i,
                load(exact.bytes.data(), exact.type, i) * (exact.name == wrong ? 1.01 : 1));
      }
      return results;
    };
  };
  const PooledErrors right = verify(run(""), draw);
  EXPECT_EQ(right.draws, 26) << "ddt has 40 elements; of dA_log and ddt_bias 4 draws would do";
  EXPECT_EQ(right.tensors.size(), 7u) << "dq, dk, dv, dinitial_state, ddt, dA_log, ddt_bias";
  for (const TensorError& each : right.tensors) EXPECT_TRUE(each.ok) << each.name << " " << each.relative_error;
  for (const TensorError& wrong : right.tensors)
    for (const TensorError& each : verify(run(wrong.name), draw).tensors)
      EXPECT_EQ(each.ok, each.name != wrong.name) << each.name << " where " << wrong.name << " is wrong";
}

TEST(Verify, DrawsOnceWhereOnlyARunningMaximumHasFewElements) {
  const Operator op = compile(variants::mlstm, {.key_dim = 64, .value_dim = 8}, Device::cpu());
  const CheckReport report = check(op, {.shape = {.batch = 2, .tokens = 8, .heads = 16}});
  EXPECT_TRUE(report.ok);
  EXPECT_EQ(report.draws, 1);
}

TEST(Verify, PassesTinyShapesWithAnySeed) {
  const Device device = Device::cpu();
  std::size_t number = 0;
  for (const char* name : {"gla_sigmoid", "hgrn2", "mamba2", "linear"})
    for (const Dims& dims : {Dims{}, Dims{.tokens = 2}, Dims{.key_dim = 3}, Dims{.value_dim = 17},
                             Dims{.tokens = 5, .key_dim = 2, .value_dim = 2}}) {
      const CompileOptions options{.key_dim = static_cast<int>(dims.key_dim),
                                   .value_dim = static_cast<int>(dims.value_dim)};
      const Operator op = compile(*find_variant(name), options, device);
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        if (!test::runs_in_turn(number++, 4)) continue;
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
