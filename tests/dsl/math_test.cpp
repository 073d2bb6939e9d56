// SPDX-License-Identifier: MIT
// The series that stand for the standard library in constant expressions.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include <rankone/dsl/math.hpp>

namespace series = rankone::math::series;

namespace {

void expect_close(double value, double expected, double x, const char* name) {
  if (value == expected) return;
  EXPECT_LE(std::abs(value - expected), 4e-16 * 2 * std::abs(expected)) << name << " at " << x;
}

void compare(const char* name, double low, double high, double (*mine)(double),
             const std::function<double(double)>& theirs) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> draw(low, high);
  for (int i = 0; i < 20000; ++i) {
    const double x = draw(random);
    expect_close(mine(x), theirs(x), x, name);
  }
}

TEST(ConstexprMath, MatchesTheStandardLibrary) {
  const auto std_exp = [](double x) { return std::exp(x); };
  const auto std_log = [](double x) { return std::log(x); };
  compare("exp", -1, 1, series::exp, std_exp);
  compare("exp", -700, 709, series::exp, std_exp);
  compare("log", 0, 2, series::log, std_log);
  compare("log", 0, 1e300, series::log, std_log);
  compare("log1p_unit", 0, 1, series::log1p_unit, [](double x) { return std::log1p(x); });
  compare("log1p_unit", 0, 1e-9, series::log1p_unit, [](double x) { return std::log1p(x); });
  compare("sqrt", 0, 10, series::sqrt, [](double x) { return std::sqrt(x); });
  compare("sqrt", 0, 1e300, series::sqrt, [](double x) { return std::sqrt(x); });
  compare("tanh", -30, 30, series::tanh, [](double x) { return std::tanh(x); });
  compare(
      "sin", -4, 4, [](double x) { return series::sine(x, 0); }, [](double x) { return std::sin(x); });
  compare(
      "cos", -1e5, 1e5, [](double x) { return series::sine(x, 1); }, [](double x) { return std::cos(x); });
  compare("tanh", -1e-6, 1e-6, series::tanh, [](double x) { return std::tanh(x); });
}

TEST(ConstexprMath, EndsOfTheRange) {
  const double infinity = rankone::math::infinity;
  EXPECT_EQ(series::exp(-infinity), 0);
  EXPECT_EQ(series::exp(infinity), infinity);
  EXPECT_EQ(series::exp(710), infinity);
  EXPECT_EQ(series::exp(-746), 0);
  EXPECT_NEAR(series::exp(709.78) / std::exp(709.78), 1, 1e-12);
  EXPECT_NEAR(series::exp(-740) / std::exp(-740), 1, 1e-2);  // subnormal: few bits are left
  EXPECT_EQ(series::log(0), -infinity);
  EXPECT_EQ(series::log(infinity), infinity);
  EXPECT_TRUE(std::isnan(series::log(-1)));
  expect_close(series::log(1e-310), std::log(1e-310), 1e-310, "log");
  EXPECT_EQ(series::sqrt(0), 0);
  EXPECT_EQ(series::sqrt(infinity), infinity);
  EXPECT_TRUE(std::isnan(series::sqrt(-1)));
  EXPECT_TRUE(std::isnan(series::sine(infinity, 0)));
  expect_close(series::sqrt(1e-310), std::sqrt(1e-310), 1e-310, "sqrt");
}

// Functions of gates take infinities to their limits.
TEST(Functions, ReachTheirLimits) {
  namespace math = rankone::math;
  const double infinity = math::infinity;
  struct Ends {
    const char* name;
    double (*function)(double);
    double below, above;
  };
  for (const Ends& each : {Ends{"sigmoid", math::sigmoid, 0, 1}, Ends{"log_sigmoid", math::log_sigmoid, -infinity, 0},
                           Ends{"softplus", math::softplus, 0, infinity}, Ends{"tanh", math::tanh, -1, 1},
                           Ends{"silu", math::silu, 0, infinity}, Ends{"relu", math::relu, 0, infinity},
                           Ends{"exp", math::exp, 0, infinity}}) {
    EXPECT_EQ(each.function(-infinity), each.below) << each.name;
    EXPECT_EQ(each.function(infinity), each.above) << each.name;
    EXPECT_EQ(each.function(-1e300), each.below == -infinity ? -1e300 : each.below) << each.name;
    EXPECT_TRUE(std::isnan(each.function(math::nan))) << each.name;
  }
  EXPECT_TRUE(std::signbit(math::silu(-infinity))) << "from below";
}
static_assert(rankone::math::silu(-rankone::math::infinity) == 0);

// In a constant expression the same functions are usable at all.
static_assert(rankone::math::sigmoid(0) == 0.5 && rankone::math::softplus(0) > 0.69314718055994);

}  // namespace
