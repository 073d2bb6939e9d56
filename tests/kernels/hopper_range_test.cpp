// SPDX-License-Identifier: MIT
// The Hopper family in float16, beyond float16's range, and in bf16 near the ends of float32's.
#include <cmath>
#include <limits>

#include "runtime/backend.hpp"
#include "runtime/call.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/extremes.hpp"

namespace rankone::test {
namespace {

class HopperRange : public testing::TestWithParam<Extreme> {};

TEST_P(HopperRange, KeepsItsDigits) { expect_right_at(GetParam(), cpu_device(7)); }

INSTANTIATE_TEST_SUITE_P(Extremes, HopperRange, testing::ValuesIn(extremes),
                         [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(WideExtremes, HopperRange, testing::ValuesIn(wide_extremes),
                         [](const auto& info) { return std::string(info.param.name); });

// Beyond what decays per key leave room for, the CPU device says so; the portable family needs no such sentence.
TEST(HopperRange, OperandsBeyondItAreRefusedOnTheCpuDevice) {
  const auto forward = [](Family family) {
    const CompileOptions options{
        .key_dim = 32, .value_dim = 32, .dtype = dtype::bf16, .pins = {.family = family}, .arch = "sm_90a"};
    Problem problem =
        random_problem(variants::gla, options,
                       {.batch = 1, .tokens = 40, .heads = 1, .value_heads = 1, .key_dim = 32, .value_dim = 32},
                       {.seed = 3, .initial_state = false});
    for (const auto& [name, to] :
         {std::pair("q", times(1e22)), std::pair("k", times(1e-22)), std::pair("g", all(-2.5))})
      change(problem, name, to);
    expect_right(compile(variants::gla, options, cpu_device(3)), problem, "beyond");
  };
  forward(Family::portable);
  try {
    forward(Family::hopper);
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a query is beyond"), std::string::npos) << error.what();
  }
}

// So it does with values, where their columns decay.
TEST(HopperRange, ValuesBeyondItAreRefusedOnTheCpuDevice) {
  constexpr Variant columns = variant("columns").decay(per_value(input("g"))).checked();
  const auto forward = [&](Family family) {
    const CompileOptions options{
        .key_dim = 32, .value_dim = 32, .dtype = dtype::bf16, .pins = {.family = family}, .arch = "sm_90a"};
    Problem problem = random_problem(
        columns, options, {.batch = 1, .tokens = 40, .heads = 1, .value_heads = 1, .key_dim = 32, .value_dim = 32},
        {.seed = 3, .initial_state = false});
    change(problem, "v", times(1e22));
    expect_right(compile(columns, options, cpu_device(3)), problem, "beyond");
  };
  forward(Family::portable);
  try {
    forward(Family::hopper);
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a value is beyond"), std::string::npos) << error.what();
  }
}

// q and k of a thousandth, but for one token.
struct Small {
  bool query, key;  // which of them has the outlier
};

constexpr std::int64_t tokens = 100, dim = 64, bad_token = 40, bad_column = 5;

std::vector<double> output(const Variant& variant, const char* infinite, const Small* small = nullptr) {
  const CompileOptions options{
      .key_dim = dim, .value_dim = dim, .dtype = dtype::f16, .pins = {.family = Family::hopper}};
  Problem problem = random_problem(
      variant, options, {.batch = 1, .tokens = tokens, .heads = 1, .value_heads = 1, .key_dim = dim, .value_dim = dim},
      {.seed = 3});
  if (infinite != nullptr)
    store(problem.find(infinite)->bytes.data(), dtype::f16, bad_token * dim + bad_column,
          std::numeric_limits<double>::infinity());
  if (small != nullptr) {
    for (const char* name : {"q", "k"}) {
      const bool has_outlier = *name == 'q' ? small->query : small->key;
      change(problem, name, [&](std::int64_t token, double drawn, std::int64_t) {
        return has_outlier && token == bad_token ? 6e4 : 1e-3 * drawn;
      });
    }
    problem.scale = 1e5;
  }
  ForwardArguments arguments{.scale = problem.scale};
  for (HostTensor& tensor : problem.tensors) bind_tensor(arguments, tensor.name, tensor.view());
  HostTensor o = make_tensor("o", dtype::f16, {1, tokens, 1, dim});
  bind_tensor(arguments, "o", o.view());
  compile(variant, options, cpu_device(3)).forward(arguments);
  std::vector<double> values;
  for (std::int64_t i = 0; i < tokens * dim; ++i) values.push_back(load(o.bytes.data(), o.type, i));
  return values;
}

// What is not finite spoils its own row of queries, its column of values or the tokens from its key on, and must not
// drown their neighbours.
TEST(HopperOverflow, StaysWhereItIs) {
  for (const Variant* variant : {&variants::linear, &variants::simple_gla, &variants::gla}) {
    const std::vector<double> finite = output(*variant, nullptr);
    for (const char* name : {"q", "k", "v"}) {
      const std::vector<double> spoilt = output(*variant, name);
      for (std::int64_t i = 0; i < tokens * dim; ++i) {
        const std::int64_t token = i / dim;
        const bool is_spoilt = *name == 'q'   ? token == bad_token
                               : *name == 'k' ? token >= bad_token
                                              : token >= bad_token && i % dim == bad_column;
        const auto at = static_cast<std::size_t>(i);
        ASSERT_EQ(std::isfinite(spoilt[at]), !is_spoilt) << variant->name.view() << " " << name << " " << i;
        if (!is_spoilt) {
          ASSERT_NEAR(spoilt[at], finite[at], 2e-3 * (1 + std::abs(finite[at])))
              << variant->name.view() << " " << name << " " << i;
        }
      }
    }
  }
}

// One large query or key costs its neighbours no digits: none of the other queries, and nothing before the key.
TEST(HopperOutlier, LeavesOthersTheirDigits) {
  for (const Variant* variant : {&variants::linear, &variants::simple_gla, &variants::gla}) {
    const Small none{false, false};
    const std::vector<double> expected = output(*variant, nullptr, &none);
    for (const Small small : {Small{true, false}, Small{false, true}, Small{true, true}}) {
      const std::vector<double> values = output(*variant, nullptr, &small);
      double difference = 0, norm = 0;
      for (std::int64_t i = 0; i < tokens * dim; ++i) {
        if (small.key ? i / dim >= bad_token : i / dim == bad_token) continue;
        const auto at = static_cast<std::size_t>(i);
        difference += std::pow(values[at] - expected[at], 2);
        norm += std::pow(expected[at], 2);
      }
      EXPECT_LE(std::sqrt(difference / norm), 1e-3) << variant->name.view() << " " << small.query << small.key;
    }
  }
}

}  // namespace
}  // namespace rankone::test
