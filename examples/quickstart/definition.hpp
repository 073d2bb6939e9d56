// SPDX-License-Identifier: MIT
// The recurrence of my_gla as a textbook has it: float64, one token after the other. What the kernel must agree with.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace quickstart {

struct Sizes {
  std::int64_t tokens, heads, key_dim, value_dim;
};

// q, k, x: [T, H, K]; v: [T, H, V]; bias: [H, K]. Returns o, [T, H, V].
inline std::vector<double> definition(const Sizes& n, const std::vector<float>& q, const std::vector<float>& k,
                                      const std::vector<float>& v, const std::vector<float>& x,
                                      const std::vector<float>& bias) {
  std::vector<double> state(std::size_t(n.heads * n.key_dim * n.value_dim));
  std::vector<double> o(std::size_t(n.tokens * n.heads * n.value_dim));
  for (std::int64_t t = 0; t < n.tokens; ++t)
    for (std::int64_t h = 0; h < n.heads; ++h)
      for (std::int64_t i = 0; i < n.key_dim; ++i) {
        const std::int64_t at = (t * n.heads + h) * n.key_dim + i;
        const double logit = double(x[at]) + bias[h * n.key_dim + i];
        const double decay = std::exp(-std::log1p(std::exp(-logit)) / 16);  // sigmoid(logit)^(1/16)
        for (std::int64_t j = 0; j < n.value_dim; ++j) {
          const std::int64_t value = (t * n.heads + h) * n.value_dim + j;
          double& s = state[(h * n.key_dim + i) * n.value_dim + j];
          s = decay * s + double(k[at]) * v[value];
          o[value] += q[at] * s / std::sqrt(double(n.key_dim));
        }
      }
  return o;
}

}  // namespace quickstart
