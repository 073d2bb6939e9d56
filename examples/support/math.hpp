// SPDX-License-Identifier: MIT
// The plain float arithmetic between the attentions: rows of activations, weights applied as x @ W.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace support {

using Vector = std::vector<float>;

struct Matrix {
  std::size_t rows = 0, columns = 0;
  Vector values;
};

// [n, rows] @ [rows, columns]; n follows from the size of x.
inline Vector multiply(const Vector& x, const Matrix& w) {
  const std::size_t n = x.size() / w.rows;
  Vector y(n * w.columns, 0.0f);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < w.rows; ++j) {
      const float factor = x[i * w.rows + j];
      for (std::size_t c = 0; c < w.columns; ++c) y[i * w.columns + c] += factor * w.values[j * w.columns + c];
    }
  return y;
}

// [n, columns] @ [rows, columns]^T
inline Vector multiply_transposed(const Vector& x, const Matrix& w) {
  const std::size_t n = x.size() / w.columns;
  Vector y(n * w.rows, 0.0f);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t r = 0; r < w.rows; ++r)
      for (std::size_t c = 0; c < w.columns; ++c)
        y[i * w.rows + r] += x[i * w.columns + c] * w.values[r * w.columns + c];
  return y;
}

// Each row of weight.size() elements, over its root mean square, times the weight.
inline Vector rms_norm(const Vector& x, const Vector& weight, double epsilon) {
  Vector y(x.size());
  const std::size_t width = weight.size();
  for (std::size_t row = 0; row < x.size(); row += width) {
    double squares = 0;
    for (std::size_t i = 0; i < width; ++i) squares += double(x[row + i]) * x[row + i];
    const float factor = float(1 / std::sqrt(squares / double(width) + epsilon));
    for (std::size_t i = 0; i < width; ++i) y[row + i] = x[row + i] * factor * weight[i];
  }
  return y;
}

// Adds [n, rows]^T @ [n, columns] to [rows, columns]: the gradient of w where y = x @ w, from that of y.
inline void add_outer(const Vector& x, const Vector& dy, Matrix& dw) {
  const std::size_t n = x.size() / dw.rows;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t r = 0; r < dw.rows; ++r) {
      const float factor = x[i * dw.rows + r];
      for (std::size_t c = 0; c < dw.columns; ++c) dw.values[r * dw.columns + c] += factor * dy[i * dw.columns + c];
    }
}

inline void add_bias(Vector& x, const Vector& bias) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += bias[i % bias.size()];
}

inline void add(Vector& x, const Vector& y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

// silu(gate) * x, in place of gate.
inline void gate_by_silu(Vector& gate, const Vector& x) {
  for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * x[i];
}

}  // namespace support
