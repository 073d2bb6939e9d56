// SPDX-License-Identifier: MIT
// Scalar functions of gates, in float32. They overflow nowhere, take infinities to their limits, and keep NaN.
#pragma once

#include "device/common.cuh"

namespace rankone {

inline constexpr float log2_of_e = 1.4426950408889634f, log_of_2 = 0.6931471805599453f;
inline constexpr float lowest_log2_decay = -150.0f;  // 2^-150 is zero in float32: a reset that sums without NaN

#ifndef RANKONE_HOST
// 2^x; results under 2^-126 are zero.
RK_DEVICE float exp2(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
RK_DEVICE float sqrt(float x) { return ::sqrtf(x); }
// The nearest whole number.
RK_DEVICE float nearest(float x) { return ::rintf(x); }
// a b + c, rounded once.
RK_DEVICE float multiply_add(float a, float b, float c) { return ::fmaf(a, b, c); }
// log2(x), relative error 6e-7 away from 1; subnormals count as zero.
RK_DEVICE float log2_away_from_one(float x) {
  float result;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
RK_DEVICE float reciprocal(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
// Correctly rounded division.
RK_DEVICE float divide(float a, float b) { return a / b; }
RK_DEVICE float absolute(float x) { return ::fabsf(x); }
// NaN if either is.
RK_DEVICE float minimum(float a, float b) {
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
RK_DEVICE float maximum(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
#endif

RK_DEVICE float exp(float x) { return exp2(x * log2_of_e); }
// Relative error 1e-6; near 1 by a minimax polynomial.
RK_DEVICE float log(float x) {
  const float t = x - 1.0f;
  float slope = -0.140071452f;
  slope = slope * t + 0.157813385f;
  slope = slope * t - 0.165952817f;
  slope = slope * t + 0.199401423f;
  slope = slope * t - 0.250012279f;
  slope = slope * t + 0.333340913f;
  slope = slope * t - 0.49999994f;
  return absolute(t) < 0.25f ? (slope * t + 1.0f) * t : log2_away_from_one(x) * log_of_2;
}
// log(1 + u) / u for u in [0, 1], relative error 4e-7: a minimax polynomial, exact at zero.
RK_DEVICE float log1p_slope(float u) {
  float slope = -0.00877895858f;
  slope = slope * u + 0.0449866541f;
  slope = slope * u - 0.109022923f;
  slope = slope * u + 0.178472087f;
  slope = slope * u - 0.245368659f;
  slope = slope * u + 0.332840651f;
  slope = slope * u - 0.499981791f;
  return slope * u + 1.0f;
}
RK_DEVICE float sigmoid(float x) { return reciprocal(1.0f + exp(-x)); }
RK_DEVICE float log_sigmoid(float x) {
  const float u = exp(-absolute(x));
  return minimum(x, 0.0f) - u * log1p_slope(u);
}
RK_DEVICE float softplus(float x) {
  const float u = exp(-absolute(x));
  return maximum(x, 0.0f) + u * log1p_slope(u);
}
// The same with an absolute error of 2e-7 instead of a relative one near zero, for decays where that is little enough.
RK_DEVICE float decay_log(float x) { return log2_away_from_one(x) * log_of_2; }
RK_DEVICE float decay_log_sigmoid(float x) { return minimum(x, 0.0f) - decay_log(1.0f + exp(-absolute(x))); }
RK_DEVICE float decay_softplus(float x) { return maximum(x, 0.0f) + decay_log(1.0f + exp(-absolute(x))); }
RK_DEVICE float silu(float x) { return x < -126.0f ? -0.0f : x * sigmoid(x); }
RK_DEVICE float relu(float x) { return x < 0.0f ? 0.0f : x; }
RK_DEVICE float step(float x) { return x > 0.0f ? 1.0f : 0.0f; }
RK_DEVICE float square(float x) { return x * x; }
RK_DEVICE float tanh(float x) {
  const float magnitude = absolute(x);
  const float u = exp(-2.0f * magnitude);
  // Near zero 1 - u cancels; the odd series takes over.
  const float value =
      magnitude < 0.1f
          ? magnitude * (1.0f - magnitude * magnitude *
                                    (0.33333333f -
                                     magnitude * magnitude * (0.13333333f - magnitude * magnitude * 0.053968254f)))
          : divide(1.0f - u, 1.0f + u);
  return x < 0.0f ? -value : value;
}

// The sine of x, or with `quarters` 1 its cosine, to 1.7e-7 of it where |x| is at most 1e5: x less whole quarters of a turn, in three
// parts whose products lose nothing. Much farther away float32 hardly tells turns apart; what comes out is at most 1 still.
RK_DEVICE float sine(float x, float quarters) {
  const float n = nearest(x * 0.636619747f);
  const float left =
      multiply_add(n, 1.71512451e-15f, multiply_add(n, 4.37113883e-8f, multiply_add(n, -1.57079637f, x)));
  const float r = minimum(maximum(left, -0.8f), 0.8f), s = r * r, turn = n + quarters;
  float of_sine = multiply_add(s, 2.7557319e-6f, -1.9841270e-4f);
  of_sine = multiply_add(s, multiply_add(s, of_sine, 8.3333333e-3f), -1.6666667e-1f);
  float of_cosine = multiply_add(s, -2.7557319e-7f, 2.4801587e-5f);
  of_cosine = multiply_add(s, multiply_add(s, of_cosine, -1.3888889e-3f), 4.1666667e-2f);
  const float quarter = turn - 4.0f * nearest(turn * 0.25f);  // -2 to 2
  const float value = absolute(quarter) == 1.0f ? multiply_add(s * s, of_cosine, multiply_add(s, -0.5f, 1.0f))
                                                : multiply_add(r * s, of_sine, r);
  return quarter < 0.0f || quarter > 1.0f ? -value : value;
}
RK_DEVICE float sin(float x) { return sine(x, 0.0f); }
RK_DEVICE float cos(float x) { return sine(x, 1.0f); }

// A slope that nothing follows is zero, whatever it is multiplied with or divided by.
RK_DEVICE float slope_times(float slope, float factor) { return slope == 0.0f ? 0.0f : slope * factor; }
RK_DEVICE float slope_over(float slope, float divisor) { return slope == 0.0f ? 0.0f : divide(slope, divisor); }

// A number and what its rounding took away.
struct alignas(8) Unrounded {
  float high, low;
};
// 2^x. Near 1, where a state is multiplied with it over and over, it keeps some 45 digits: each rounding would err the
// same way.
RK_DEVICE Unrounded unrounded_exp2(float x) {
  if (!(absolute(x) < 0.25f)) return {exp2(x), 0.0f};
  const float t = x * log_of_2;
  float series = multiply_add(t, 1.0f / 6, 1.0f);
  series = multiply_add(t * (1.0f / 5), series, 1.0f);
  series = multiply_add(t * (1.0f / 4), series, 1.0f);
  series = multiply_add(t * (1.0f / 3), series, 1.0f);
  series = multiply_add(t * (1.0f / 2), series, 1.0f);
  const float above_one = t * series, high = 1.0f + above_one;
  return {high, above_one - (high - 1.0f)};
}

// Clamped, so that a reset sums without NaN.
RK_DEVICE float log2_decay(float log_decay) { return maximum(log_decay * log2_of_e, lowest_log2_decay); }

}  // namespace rankone
