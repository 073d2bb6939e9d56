// SPDX-License-Identifier: MIT
// A language model of bytes that is small enough to train in a minute: one layer of attention between an embedding and its
// transpose.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "attention.hpp"

namespace new_variant {

using support::Matrix;

struct Weights {
  Matrix embedding;      // [256, D], also the output projection
  Matrix q, k, v, x, o;  // [D, H K], of v [D, H V], of o [H V, D]
  Matrix rate;           // [H, K], of the variant

  std::array<Matrix*, 7> all() { return {&embedding, &q, &k, &v, &x, &o, &rate}; }
};

class Model {
 public:
  static constexpr std::size_t width = 32;  // D
  explicit Model(const Sizes& sizes);

  // One step of Adam on B windows of T + 1 bytes each. Returns the loss before it, in bits a byte.
  double train(Attention& attention, const std::vector<std::string_view>& windows);

 private:
  Sizes sizes_;
  Weights weights_, means_, squares_;
  int steps_ = 0;

  void update(Weights& gradients);
};

}  // namespace new_variant
