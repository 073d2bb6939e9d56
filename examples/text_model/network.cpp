// SPDX-License-Identifier: MIT
// One layer after the other: attention by the kernel, the rest on the host.
#include "network.hpp"

#include <algorithm>
#include <cmath>

namespace text_model {

using namespace support;

namespace {
constexpr std::size_t alphabet = 256;
}

Network::Network(const Model& model, const Attention& attention) : model_(model), attention_(attention) {
  for (std::size_t i = 0; i < model.layers.size(); ++i) states_.push_back(attention.zero_state());
}

void Network::apply(const Layer& layer, State& state, Vector& h) const {
  Vector y = rms_norm(h, layer.norm_attention, model_.norm_epsilon);
  Vector x = multiply(multiply(y, layer.gate_down), layer.gate_up);
  add_bias(x, layer.gate_bias);
  const Vector o = attention_.forward(multiply(y, layer.q), multiply(y, layer.k), multiply(y, layer.v), x, state);

  Vector gate = multiply(y, layer.r);
  add_bias(gate, layer.r_bias);
  gate_by_silu(gate, rms_norm(o, layer.norm_head, model_.norm_epsilon));
  add(h, multiply(gate, layer.o));

  y = rms_norm(h, layer.norm_ffn, model_.norm_epsilon);
  gate = multiply(y, layer.ffn_gate);
  gate_by_silu(gate, multiply(y, layer.ffn_in));
  add(h, multiply(gate, layer.ffn_out));
}

Vector Network::read(std::string_view bytes) {
  const std::size_t width = model_.embedding.columns;
  Vector h;
  h.reserve(bytes.size() * width);
  for (const char byte : bytes) {
    const auto row = model_.embedding.values.begin() + std::ptrdiff_t(width * static_cast<unsigned char>(byte));
    h.insert(h.end(), row, row + std::ptrdiff_t(width));
  }
  for (std::size_t i = 0; i < states_.size(); ++i) apply(model_.layers[i], states_[i], h);
  return multiply_transposed(rms_norm(h, model_.norm_out, model_.norm_epsilon), model_.embedding);
}

double bits_per_byte(const Vector& logits, std::string_view bytes) {
  double bits = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const float* row = logits.data() + i * alphabet;
    const double top = *std::max_element(row, row + alphabet);
    double sum = 0;
    for (std::size_t c = 0; c < alphabet; ++c) sum += std::exp(row[c] - top);
    bits += (top + std::log(sum) - row[static_cast<unsigned char>(bytes[i])]) / std::log(2.0);
  }
  return bits / double(bytes.size());
}

char likeliest(const Vector& logits) {
  return static_cast<char>(std::max_element(logits.end() - alphabet, logits.end()) - (logits.end() - alphabet));
}

}  // namespace text_model
