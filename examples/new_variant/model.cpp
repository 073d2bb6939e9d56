// SPDX-License-Identifier: MIT
#include "model.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace new_variant {

using namespace support;

namespace {

constexpr std::size_t alphabet = 256;

Weights zeros(const Sizes& sizes) {
  const auto matrix = [](std::size_t rows, std::size_t columns) {
    return Matrix{rows, columns, Vector(rows * columns, 0.0f)};
  };
  const auto heads = std::size_t(sizes.heads), keys = heads * std::size_t(sizes.key_dim),
             values = heads * std::size_t(sizes.value_dim);
  constexpr std::size_t width = Model::width;
  return {matrix(alphabet, width),
          matrix(width, keys),
          matrix(width, keys),
          matrix(width, values),
          matrix(width, keys),
          matrix(values, width),
          matrix(heads, std::size_t(sizes.key_dim))};
}

// Turns logits into their gradient; returns the loss, the mean of -log2 p(byte that follows).
double cross_entropy(Vector& logits, const std::vector<unsigned char>& next) {
  double bits = 0;
  for (std::size_t i = 0; i < next.size(); ++i) {
    float* const row = logits.data() + i * alphabet;
    const double top = *std::max_element(row, row + alphabet);
    double sum = 0;
    for (std::size_t c = 0; c < alphabet; ++c) sum += std::exp(row[c] - top);
    bits += (top + std::log(sum) - row[next[i]]) / std::log(2.0);
    for (std::size_t c = 0; c < alphabet; ++c) {
      const double wanted = c == next[i] ? 1 : 0;
      row[c] = float((std::exp(row[c] - top) / sum - wanted) / double(next.size()));
    }
  }
  return bits / double(next.size());
}

}  // namespace

Model::Model(const Sizes& sizes) : sizes_(sizes), weights_(zeros(sizes)), means_(zeros(sizes)), squares_(zeros(sizes)) {
  std::mt19937 generator(1);  // the same on every platform
  const auto draw = [&](Matrix& matrix, double size) {
    for (float& value : matrix.values) value = float((double(generator()) / 2147483648.0 - 1) * size);
  };
  const double size = std::sqrt(3.0 / double(width));
  draw(weights_.embedding, 0.3);
  for (Matrix* const each : {&weights_.q, &weights_.k, &weights_.v, &weights_.x, &weights_.o}) draw(*each, size);
  std::fill(weights_.rate.values.begin(), weights_.rate.values.end(), -2.0f);  // gates begin nearly open
}

double Model::train(Attention& attention, const std::vector<std::string_view>& windows) {
  std::vector<unsigned char> bytes, next;
  for (const std::string_view window : windows)
    for (std::size_t i = 0; i + 1 < window.size(); ++i)
      bytes.push_back(static_cast<unsigned char>(window[i])), next.push_back(static_cast<unsigned char>(window[i + 1]));

  const Weights& w = weights_;
  Vector h;
  for (const unsigned char byte : bytes) {
    const auto row = w.embedding.values.begin() + std::ptrdiff_t(byte * width);
    h.insert(h.end(), row, row + std::ptrdiff_t(width));
  }
  const Inputs inputs{multiply(h, w.q), multiply(h, w.k), multiply(h, w.v), multiply(h, w.x), w.rate.values};
  const Vector o = attention.forward(inputs);
  Vector y = multiply(o, w.o);
  add(y, h);
  Vector slope = multiply_transposed(y, w.embedding);
  const double loss = cross_entropy(slope, next);

  Weights gradients = zeros(sizes_);
  Matrix& dembedding = gradients.embedding;
  add_outer(slope, y, dembedding);
  const Vector dy = multiply(slope, w.embedding);
  add_outer(o, dy, gradients.o);
  const Gradients of = attention.backward(inputs, multiply_transposed(dy, w.o));
  Vector dh = dy;
  const auto pass_back = [&](const Vector& d, const Matrix& matrix, Matrix& dmatrix) {
    add_outer(h, d, dmatrix);
    add(dh, multiply_transposed(d, matrix));
  };
  pass_back(of.q, w.q, gradients.q);
  pass_back(of.k, w.k, gradients.k);
  pass_back(of.v, w.v, gradients.v);
  pass_back(of.x, w.x, gradients.x);
  gradients.rate.values = of.rate;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (std::size_t c = 0; c < width; ++c) dembedding.values[bytes[i] * width + c] += dh[i * width + c];
  update(gradients);
  return loss;
}

void Model::update(Weights& gradients) {
  constexpr double rate = 0.01, forget_mean = 0.9, forget_square = 0.99, epsilon = 1e-8;
  ++steps_;
  for (std::size_t i = 0; i < weights_.all().size(); ++i) {
    Vector &weight = weights_.all()[i]->values, &mean = means_.all()[i]->values, &square = squares_.all()[i]->values;
    const Vector& gradient = gradients.all()[i]->values;
    for (std::size_t j = 0; j < weight.size(); ++j) {
      const double g = gradient[j];
      mean[j] = float(forget_mean * mean[j] + (1 - forget_mean) * g);
      square[j] = float(forget_square * square[j] + (1 - forget_square) * g * g);
      const double m = mean[j] / (1 - std::pow(forget_mean, steps_)),
                   s = square[j] / (1 - std::pow(forget_square, steps_));
      weight[j] = float(weight[j] - rate * m / (std::sqrt(s) + epsilon));
    }
  }
}

}  // namespace new_variant
