// SPDX-License-Identifier: MIT
// Runs the model on bytes: everything before is in the states of the layers, nothing is read twice.
#pragma once

#include <string_view>
#include <vector>

#include "attention.hpp"
#include "model.hpp"

namespace text_model {

class Network {
 public:
  Network(const Model& model, const Attention& attention);

  // Logits [bytes, 256] of the byte that follows each of these; the next call goes on from here.
  Vector read(std::string_view bytes);

 private:
  void apply(const Layer& layer, State& state, Vector& h) const;

  const Model& model_;
  const Attention& attention_;
  std::vector<State> states_;
};

// The mean of -log2 p(byte) over bytes[i], given logits [n, 256] from before each.
double bits_per_byte(const Vector& logits, std::string_view bytes);

// The likeliest byte after the last row of logits.
char likeliest(const Vector& logits);

}  // namespace text_model
