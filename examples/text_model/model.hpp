// SPDX-License-Identifier: MIT
// The weights and sizes of the language model; examples/data/README.md defines the layer.
#pragma once

#include <string>
#include <vector>

#include "../support/math.hpp"

namespace text_model {

using support::Matrix, support::Vector;

struct Layer {
  Vector norm_attention;
  Matrix q, k, v;
  Matrix gate_down, gate_up;
  Vector gate_bias;
  Matrix r;
  Vector r_bias;
  Vector norm_head;
  Matrix o;
  Vector norm_ffn;
  Matrix ffn_gate, ffn_in, ffn_out;
};

struct Model {
  std::size_t heads = 0, key_dim = 0, value_dim = 0;
  double norm_epsilon = 0;
  double recorded_bits_per_byte = 0;  // on the held-out text, by the recurrence in float64
  Matrix embedding;                   // [256, model dim], also the output projection
  std::vector<Layer> layers;
  Vector norm_out;
};

Model load_model(const std::string& path);

}  // namespace text_model
