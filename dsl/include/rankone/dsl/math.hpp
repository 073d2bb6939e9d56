// SPDX-License-Identifier: MIT
// The functions of expressions in double: the standard library's at run time, series in constant expressions.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace rankone::math {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

constexpr bool is_finite(double x) { return x > -infinity && x < infinity; }
// Kernels compute in float32: what is finite there, and what is 0 there.
constexpr bool is_finite_float(double x) {
  constexpr double most = std::numeric_limits<float>::max();
  return x >= -most && x <= most;
}
constexpr bool is_zero_float(double x) {
  constexpr double least = std::numeric_limits<float>::denorm_min();
  return x > -least && x < least;
}

// Series for constant expressions, good to a few units in the last place.
namespace series {

inline constexpr double ln2 = 0.6931471805599453094, ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;

constexpr double power_of_two(int exponent) {  // 2^exponent; zero and infinity outside double's range
  if (exponent > 1023) return infinity;
  if (exponent < -1074) return 0;
  if (exponent < -1022) return std::bit_cast<double>(std::uint64_t{1} << (exponent + 1074));
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

// e^r - 1 for |r| <= ln2.
constexpr double expm1_small(double r) {
  double sum = 0;
  for (int n = 22; n >= 1; --n) sum = (sum + 1) * r / n;
  return sum;
}
constexpr double exp(double x) {
  if (x != x) return x;
  if (x > 709.782712893383973) return infinity;
  if (x < -745.2) return 0;
  const int n = static_cast<int>(x / ln2 + (x < 0 ? -0.5 : 0.5));
  const double result = 1 + expm1_small((x - n * ln2_high) - n * ln2_low);
  return n < -1000  ? result * power_of_two(n + 100) * power_of_two(-100)
         : n > 1000 ? result * power_of_two(n - 100) * power_of_two(100)
                    : result * power_of_two(n);
}
constexpr double expm1(double x) { return x > -0.5 && x < 0.5 ? expm1_small(x) : exp(x) - 1; }

// 2 atanh(s) for |s| <= 1/3.
constexpr double twice_atanh(double s) {
  double sum = 0;
  for (int n = 41; n >= 1; n -= 2) sum = sum * s * s + 1.0 / n;
  return 2 * s * sum;
}
constexpr double log(double x) {
  if (x != x || x < 0) return nan;
  if (x == 0) return -infinity;
  if (x == infinity) return x;
  int exponent = 0;
  if (x < 0x1p-1022) x *= 0x1p54, exponent = -54;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & ((std::uint64_t{1} << 52) - 1)) | (std::uint64_t{1023} << 52));
  if (mantissa > 1.4142135623730951) mantissa /= 2, ++exponent;
  return exponent * ln2_high + (exponent * ln2_low + twice_atanh((mantissa - 1) / (mantissa + 1)));
}
constexpr double log1p_unit(double u) { return twice_atanh(u / (2 + u)); }  // log(1 + u) for u in [0, 1]

constexpr double sqrt(double x) {
  if (x != x || x < 0) return nan;
  if (x == 0 || x == infinity) return x;
  // Halving the exponent field is within 4 % of the root; four Newton steps square that error each time.
  double root = std::bit_cast<double>((std::bit_cast<std::uint64_t>(x) >> 1) + (std::uint64_t{1023} << 51));
  if (x < 0x1p-1022) return sqrt(x * 0x1p108) * 0x1p-54;
  for (int i = 0; i < 5; ++i) root = (root + x / root) / 2;
  return root;
}
constexpr double tanh(double x) {
  if (x != x) return x;
  if (x > 20 || x < -20) return x < 0 ? -1 : 1;
  const double m = expm1(-2 * (x < 0 ? -x : x));
  return (x < 0 ? m : -m) / (m + 2);
}

// The sine of x, or with `quarters` 1 its cosine: of what is left within an eighth of a turn.
constexpr double sine(double x, int quarters) {
  constexpr double half_pi_high = 0x1.921fb544p+0, half_pi_middle = 0x1.0b4611a6p-34,
                   half_pi_low = 0x1.3198a2e037073p-69;
  if (!(x > -0x1p50 && x < 0x1p50)) return nan;
  const double n = static_cast<double>(static_cast<std::int64_t>(x / 1.5707963267948966 + (x < 0 ? -0.5 : 0.5)));
  const double r = ((x - n * half_pi_high) - n * half_pi_middle) - n * half_pi_low, s = r * r;
  const auto turn = (static_cast<std::int64_t>(n) + quarters) & 3;
  double sum = 1;  // of the series, from its smallest term on
  for (int i = 22; i >= 2; i -= 2) sum = 1 - sum * s / (turn % 2 == 0 ? i * (i + 1) : i * (i - 1));
  return (turn < 2 ? 1 : -1) * (turn % 2 == 0 ? r * sum : sum);
}

}  // namespace series

constexpr double exp(double x) { return std::is_constant_evaluated() ? series::exp(x) : std::exp(x); }
constexpr double log(double x) { return std::is_constant_evaluated() ? series::log(x) : std::log(x); }
constexpr double sqrt(double x) { return std::is_constant_evaluated() ? series::sqrt(x) : std::sqrt(x); }
constexpr double tanh(double x) { return std::is_constant_evaluated() ? series::tanh(x) : std::tanh(x); }
// In a constant expression right up to magnitudes of 1e5.
constexpr double sin(double x) { return std::is_constant_evaluated() ? series::sine(x, 0) : std::sin(x); }
constexpr double cos(double x) { return std::is_constant_evaluated() ? series::sine(x, 1) : std::cos(x); }
constexpr double log1p_unit(double u) { return std::is_constant_evaluated() ? series::log1p_unit(u) : std::log1p(u); }

// A NaN passes through min and max, whichever side it stands on.
constexpr double minimum(double a, double b) { return a != a || a < b ? a : b; }
constexpr double maximum(double a, double b) { return a != a || a > b ? a : b; }
constexpr double sigmoid(double x) { return 1 / (1 + exp(-x)); }
// Exact in both tails: no large number cancels.
constexpr double log_sigmoid(double x) { return (x < 0 ? x : 0) - log1p_unit(exp(x < 0 ? x : -x)); }
constexpr double softplus(double x) { return -log_sigmoid(-x); }
constexpr double silu(double x) { return x == -infinity ? -0.0 : x / (1 + exp(-x)); }
constexpr double relu(double x) { return maximum(x, 0); }
constexpr double square(double x) { return x * x; }
// IEEE division; a constant expression may not divide by zero itself.
constexpr double divide(double a, double b) {
  if (std::is_constant_evaluated() && b == 0) return a == 0 || a != a ? nan : (a < 0 ? -infinity : infinity);
  return a / b;
}
constexpr double step(double x) { return x > 0 ? 1 : 0; }

}  // namespace rankone::math
