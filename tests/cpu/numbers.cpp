// SPDX-License-Identifier: MIT
// Conversions bit by bit, and scalar functions, as emitted text sees them.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

// expression(x) for each x, on the CPU device.
std::vector<std::uint32_t> evaluate(const std::string& expression, const std::vector<float>& x) {
  std::vector<std::uint32_t> out(x.size());
  TestKernel kernel(
      "for (long long i = t; i < a.tokens; i += 32) {\n"
      "const float x = static_cast<const float*>(a.query.data)[i];\n"
      "static_cast<unsigned*>(a.output.data)[i] = " +
          expression + ";\n}",
      32, 0);
  kernel.arguments.query.data = const_cast<float*>(x.data());
  kernel.arguments.output.data = out.data();
  kernel.arguments.tokens = static_cast<long long>(x.size());
  kernel.run();
  return out;
}

constexpr float infinity = std::numeric_limits<float>::infinity();

std::vector<float> samples() {
  std::vector<float> x = {0.0f,         -0.0f,         infinity,  -infinity, 65504.0f,   65519.99f,       65520.0f,
                          65536.0f,     0x1p-14f,      0x1p-24f,  0x1p-25f,  0x1.8p-25f, 0x1.000002p-25f, 0x1.ffcp-15f,
                          0x1.ffep-15f, 3.4028235e38f, 0x1p-149f, 1.0f};
  for (std::uint32_t half = 0; half < 0x7c00; half += 5) {  // ties, and their neighbours, of both types
    const float value = std::ldexp(static_cast<float>(half & 0x3ff), static_cast<int>(half >> 10) - 25);
    for (float y : {value, std::nextafter(value, 0.0f), std::nextafter(value, 1e30f)}) x.push_back(y);
  }
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isnan(value)) x.push_back(value);
  }
  const std::size_t size = x.size();
  for (std::size_t i = 0; i < size; ++i) x.push_back(-x[i]);
  return x;
}

// The nearest value with `bits` bits of mantissa whose last place is not under 2^lowest, by the rounding of the host.
double rounded(double x, int bits, int lowest, bool ties_to_even) {
  if (x == 0 || std::isinf(x)) return x;
  const int place = std::max(std::ilogb(x) - bits, lowest);
  const double scaled = std::ldexp(x, -place);
  return std::ldexp(ties_to_even ? std::nearbyint(scaled) : std::round(scaled), place);
}

float f16_value(std::uint32_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const float magnitude = exponent == 31 ? infinity
                                         : std::ldexp(static_cast<float>(exponent ? mantissa + 1024 : mantissa),
                                                      std::max(exponent, 1) - 25);
  return h & 0x8000 ? -magnitude : magnitude;
}

TEST(Numbers, Bf16RoundsToNearestEven) {
  const auto x = samples();
  const auto y = evaluate("pack_bf16(x, -x)", x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    double expected = rounded(x[i], 7, -133, true);
    if (std::abs(expected) > 0x1.fep127) expected = std::copysign(infinity, expected);
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(expected)) >> 16;
    ASSERT_EQ(y[i], bits | (bits ^ 0x8000u) << 16) << x[i];
  }
}

TEST(Numbers, F16RoundsToNearestEven) {
  const auto x = samples();
  const auto y = evaluate("pack_f16(x, -x)", x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    double expected = rounded(x[i], 10, -24, true);
    if (std::abs(expected) > 65504) expected = std::copysign(infinity, expected);
    const float value = f16_value(y[i] & 0xffff);
    ASSERT_EQ(value, expected) << x[i];
    ASSERT_EQ(std::signbit(value), std::signbit(x[i])) << x[i];
    ASSERT_EQ(y[i] >> 16, (y[i] & 0xffff) ^ 0x8000u) << x[i];
  }
}

TEST(Numbers, Tf32RoundsToNearestTiesAway) {
  const auto x = samples();
  const auto y = evaluate("to_tf32(x)", x);
  for (std::size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(std::bit_cast<float>(y[i]), static_cast<float>(rounded(x[i], 10, -136, false))) << x[i];
}

TEST(Numbers, EveryF16Widens) {
  std::vector<float> x(0x8000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const auto y = evaluate("as_bits(to_float(f16{static_cast<unsigned short>(x)}))", x);
  for (std::uint32_t i = 0; i < 0x8000; ++i) {
    if (i > 0x7c00)
      ASSERT_TRUE(std::isnan(std::bit_cast<float>(y[i]))) << i;
    else
      ASSERT_EQ(std::bit_cast<float>(y[i]), f16_value(i)) << i;
  }
}

TEST(Numbers, NansBecomeTheCanonicalOne) {
  const std::vector<float> x = {std::bit_cast<float>(0x7f800001u), std::bit_cast<float>(0xffffffffu)};
  EXPECT_EQ(evaluate("pack_bf16(x, x)", x), std::vector<std::uint32_t>(2, 0x7fff7fffu));
  EXPECT_EQ(evaluate("pack_f16(x, x)", x), std::vector<std::uint32_t>(2, 0x7fff7fffu));
  EXPECT_EQ(evaluate("to_tf32(x)", x), std::vector<std::uint32_t>(2, 0x7fffffffu));
}

// What a state is multiplied with over and over: errors of one sign would add up.
TEST(Numbers, PowersNearOneKeepTheirDigits) {
  std::vector<float> x;
  for (int i = 0; i <= 4096; ++i) x.push_back(-0.25f * static_cast<float>(i) / 4096);
  for (int i = 0; i < 40; ++i) x.push_back(-std::ldexp(1.1f, -i - 3));
  const auto rounded = evaluate("as_bits(rounded_exp2(x))", x), high = evaluate("as_bits(unrounded_exp2(x).high)", x),
             low = evaluate("as_bits(unrounded_exp2(x).low)", x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = std::exp2(static_cast<double>(x[i]));
    EXPECT_NEAR(std::bit_cast<float>(rounded[i]), exact, 7e-8) << x[i];
    if (x[i] == -0.25f) continue;  // rounded from there on
    const double sum = static_cast<double>(std::bit_cast<float>(high[i])) + std::bit_cast<float>(low[i]);
    EXPECT_NEAR(sum, exact, 1e-7 * std::abs(x[i]) + 3e-15) << x[i];
  }
}

TEST(Numbers, ScalarFunctions) {
  const std::vector<float> x = {-infinity, -200.0f, -126.5f, -126.0f, -1.5f, 0.0f, 3.0f, 127.5f, 129.0f, infinity};
  const auto exp2 = evaluate("as_bits(rankone::exp2(x))", x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float exact = x[i] < -126.0f ? 0.0f : std::exp2(x[i]);
    if (std::isinf(exact))
      EXPECT_EQ(std::bit_cast<float>(exp2[i]), infinity);
    else
      EXPECT_NEAR(std::bit_cast<float>(exp2[i]), exact, std::abs(exact) * 3e-7f) << x[i];
  }
  const std::vector<float> y = {0x1p-127f, -0x1p-127f, 0x1p127f, infinity, 3.0f};
  const auto reciprocal = evaluate("as_bits(reciprocal(x))", y);
  EXPECT_EQ(std::bit_cast<float>(reciprocal[0]), infinity);
  EXPECT_EQ(std::bit_cast<float>(reciprocal[1]), -infinity);
  EXPECT_EQ(reciprocal[2], 0u);
  EXPECT_EQ(reciprocal[3], 0u);
  EXPECT_NEAR(std::bit_cast<float>(reciprocal[4]), 1.0f / 3, 1e-7f);
  const std::vector<float> edges = {0.0f, -1.0f, 0x1p-127f, infinity, 1.0f, 0.9999999f, 1e-30f, 0.74f, 0.76f, 1.26f};
  const auto logs = evaluate("as_bits(rankone::log(x))", edges);
  EXPECT_EQ(std::bit_cast<float>(logs[0]), -infinity);
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(logs[1])));
  EXPECT_EQ(std::bit_cast<float>(logs[2]), -infinity) << "subnormals count as zero";
  EXPECT_EQ(std::bit_cast<float>(logs[3]), infinity);
  for (std::size_t i = 4; i < edges.size(); ++i) {
    const double exact = std::log(static_cast<double>(edges[i]));
    EXPECT_NEAR(std::bit_cast<float>(logs[i]), exact, std::abs(exact) * 1e-6) << edges[i];
  }
  const std::vector<float> z = {1.0f, 1.25f, 2.0f, 4.0f};
  for (const auto& [word, function] : {std::pair<std::string, double (*)(double)>{"rankone::log(x)", std::log},
                                       {"rankone::sqrt(x)", std::sqrt},
                                       {"divide(x, 3.0f)", [](double v) { return v / 3; }}}) {
    const auto bits = evaluate("as_bits(" + word + ")", z);
    for (std::size_t i = 0; i < z.size(); ++i)
      EXPECT_NEAR(std::bit_cast<float>(bits[i]), function(z[i]), 2e-7) << word << " of " << z[i];
  }
}

// Whole turns are taken off without loss, beside their multiples, too.
TEST(Numbers, SinesOfLargeArguments) {
  std::vector<float> x = {0.0f, -0.0f, 1e-20f, 0.7853982f, -0.7853982f, 1.5707964f, 3.1415927f, -6.2831855f, 100000.0f};
  for (int i = 0; i < 400; ++i) {
    x.push_back(static_cast<float>(i * i) * 0.62f - 400.0f);              // to 98,500
    x.push_back(static_cast<float>((i * 157 + 1) * 1.5707963267948966));  // near zeros of one of the two
  }
  for (const auto& [word, function] :
       {std::pair<std::string, double (*)(double)>{"rankone::sin(x)", std::sin}, {"rankone::cos(x)", std::cos}}) {
    const auto bits = evaluate("as_bits(" + word + ")", x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = function(static_cast<double>(x[i]));
      EXPECT_NEAR(std::bit_cast<float>(bits[i]), exact, std::abs(exact) * 1.8e-7) << word << " of " << x[i];
    }
    const auto far = evaluate("as_bits(" + word + ")", {1e30f, -1e12f, infinity, -infinity});
    EXPECT_LE(std::abs(std::bit_cast<float>(far[0])), 1.0f);
    EXPECT_LE(std::abs(std::bit_cast<float>(far[1])), 1.0f);
    EXPECT_TRUE(std::isnan(std::bit_cast<float>(far[2])) && std::isnan(std::bit_cast<float>(far[3])));
  }
}

TEST(Numbers, GatesReachTheirLimits) {
  const std::vector<float> x = {-infinity, -1e30f, 1e30f, infinity};
  struct Ends {
    const char* word;
    float below, above;
  };
  for (const auto& [word, below, above] :
       {Ends{"sigmoid", 0, 1}, Ends{"log_sigmoid", -infinity, 0}, Ends{"decay_log_sigmoid", -infinity, 0},
        Ends{"softplus", 0, infinity}, Ends{"decay_softplus", 0, infinity}, Ends{"rankone::tanh", -1, 1},
        Ends{"silu", 0, infinity}, Ends{"relu", 0, infinity}, Ends{"rankone::exp", 0, infinity}}) {
    const auto y = evaluate("as_bits(" + std::string(word) + "(x))", x);
    EXPECT_EQ(std::bit_cast<float>(y[0]), below) << word;
    EXPECT_EQ(std::bit_cast<float>(y[1]), std::isinf(below) ? x[1] : below) << word;
    EXPECT_EQ(std::bit_cast<float>(y[3]), above) << word;
    if (std::string(word) == "silu") {
      EXPECT_TRUE(std::signbit(std::bit_cast<float>(y[0]))) << "from below";
    }
  }
}

}  // namespace
}  // namespace rankone
