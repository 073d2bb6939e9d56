// SPDX-License-Identifier: MIT
// Of a complex state: the turn that a token's phase gives it, right to more digits than float32 has. Since many tokens' turns follow
// each other, they count where the state keeps what rounding takes away.
#pragma once

#include "device/math.cuh"

namespace rankone {

// exp(i angle).
struct Turn {
  Unrounded cosine, sine;
};

// The sum of two numbers, the first of which is not the smaller one, or of two where no order is known.
RK_DEVICE Unrounded ordered_sum(float large, float small) {
  const float sum = large + small;
  return {sum, small - (sum - large)};
}
RK_DEVICE Unrounded unrounded_sum(float a, float b) {
  const float sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

// The angle less whole quarters, as sine() has it, with what its rounding took away; the same two series then.
RK_DEVICE Turn turn_by(float angle) {
  const float n = nearest(angle * 0.636619747f), whole = multiply_add(n, -1.57079637f, angle);
  Unrounded left = unrounded_sum(whole, n * 4.37113883e-8f);
  left.low = multiply_add(n, 1.71512451e-15f, left.low);
  const float r = minimum(maximum(left.high, -0.8f), 0.8f), r_low = r == left.high ? left.low : 0.0f;
  const float s = r * r, s_low = multiply_add(2.0f * r, r_low, multiply_add(r, r, -s));
  float of_sine = multiply_add(s, 2.7557319e-6f, -1.9841270e-4f);
  of_sine = multiply_add(s, multiply_add(s, of_sine, 8.3333333e-3f), -1.6666667e-1f);
  float of_cosine = multiply_add(s, -2.7557319e-7f, 2.4801587e-5f);
  of_cosine = multiply_add(s, multiply_add(s, of_cosine, -1.3888889e-3f), 4.1666667e-2f);
  const Unrounded sine = ordered_sum(r, multiply_add(r * s, of_sine, r_low)), half = ordered_sum(1.0f, -0.5f * s),
                  cosine = ordered_sum(half.high, multiply_add(s * s, of_cosine, multiply_add(-0.5f, s_low, half.low)));
  const float quarter = n - 4.0f * nearest(n * 0.25f);  // -2 to 2
  const bool is_odd = absolute(quarter) == 1.0f, is_half = absolute(quarter) == 2.0f;
  const float of_cosine_sign = is_half || quarter == 1.0f ? -1.0f : 1.0f,
              of_sine_sign = is_half || quarter == -1.0f ? -1.0f : 1.0f;
  const Unrounded &x = is_odd ? sine : cosine, &y = is_odd ? cosine : sine;
  return {{of_cosine_sign * x.high, of_cosine_sign * x.low}, {of_sine_sign * y.high, of_sine_sign * y.low}};
}

// A number of the state and what additions to it have rounded away, where that is kept.
struct Part {
  float &value, &lost;
};

// a * x + b * y of parts x and y.
RK_DEVICE Unrounded turned(const Unrounded& a, const Part& x, const Unrounded& b, const Part& y) {
  const float first = a.high * x.value, second = b.high * y.value;
  const Unrounded sum = unrounded_sum(first, second);
  const float rounded = multiply_add(a.high, x.value, -first) + multiply_add(b.high, y.value, -second) + sum.low;
  return {sum.high, multiply_add(a.low, x.value, multiply_add(b.low, y.value, rounded)) +
                        multiply_add(a.high, x.lost, b.high * y.lost)};
}

// (real + i imaginary) * (cosine + i sine).
template <bool compensated> RK_DEVICE void turn(const Turn& by, const Part& real, const Part& imaginary) {
  const Unrounded back{-by.sine.high, -by.sine.low};
  if constexpr (compensated) {
    const Unrounded next = turned(by.cosine, real, back, imaginary),
                    other = turned(by.sine, real, by.cosine, imaginary);
    real.value = next.high, real.lost = next.low;
    imaginary.value = other.high, imaginary.lost = other.low;
  } else {
    const float next = multiply_add(by.cosine.high, real.value, back.high * imaginary.value);
    imaginary.value = multiply_add(by.sine.high, real.value, by.cosine.high * imaginary.value);
    real.value = next;
  }
}

}  // namespace rankone
