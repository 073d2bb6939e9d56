// SPDX-License-Identifier: MIT
// Gated linear attention by a generated kernel, its state carried from call to call on the device.
#pragma once

#include <string>

#include <rankone/rankone.hpp>

#include "../support/math.hpp"

namespace text_model {

using support::Vector;

// The state of one layer, [1, H, K, V] float32. A forward reads one buffer and writes the other.
struct State {
  rankone::Buffer current, next;
};

class Attention {
 public:
  Attention(const rankone::Device& device, rankone::dtype type, std::size_t heads, std::size_t key_dim,
            std::size_t value_dim);

  State zero_state() const;
  // q, k, x: [T, H, K]; v and the result: [T, H, V]. Continues from the state and advances it by T tokens.
  Vector forward(const Vector& q, const Vector& k, const Vector& v, const Vector& x, State& state) const;

  const rankone::Operator& op() const { return op_; }

 private:
  rankone::Device device_;
  rankone::dtype type_;
  std::int64_t heads_, key_dim_, value_dim_;
  rankone::Operator op_;
};

}  // namespace text_model
