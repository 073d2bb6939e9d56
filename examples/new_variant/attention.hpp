// SPDX-License-Identifier: MIT
// The attention of one layer and its gradients: by generated kernels, or by the oracle.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <rankone/rankone.hpp>

#include "../support/math.hpp"

namespace new_variant {

using support::Vector;

struct Sizes {
  std::int64_t batch, tokens, heads, key_dim, value_dim;
};

// What a layer hands over: q, k, x [B, T, H, K], v [B, T, H, V], rate [H, K].
struct Inputs {
  Vector q, k, v, x, rate;
};
using Gradients = Inputs;  // of the same shapes

class Attention {
 public:
  virtual ~Attention() = default;
  virtual Vector forward(const Inputs& inputs) = 0;  // o, [B, T, H, V]
  // `slope` is the loss's with respect to o.
  virtual Gradients backward(const Inputs& inputs, const Vector& slope) = 0;
  virtual std::string name() const = 0;
};

std::unique_ptr<Attention> generated_attention(const rankone::Device& device, const Sizes& sizes);
std::unique_ptr<Attention> oracle_attention(const Sizes& sizes);  // on the host, in float64

}  // namespace new_variant
