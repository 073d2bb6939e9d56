// SPDX-License-Identifier: MIT
// A float64 tensor that owns its elements.
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <rankone/tensor.hpp>

namespace rankone {

struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;

  Array(std::vector<std::int64_t> sizes, std::vector<double> elements)
      : shape(std::move(sizes)), values(std::move(elements)) {}
  // Filled with NaN: whatever is not written shows.
  explicit Array(std::vector<std::int64_t> sizes) : shape(std::move(sizes)) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    values.assign(static_cast<std::size_t>(count), std::numeric_limits<double>::quiet_NaN());
  }
  static Array random(std::vector<std::int64_t> sizes, std::mt19937& source, double low = -1, double high = 1) {
    Array array(std::move(sizes));
    std::uniform_real_distribution<double> draw(low, high);
    for (double& value : array.values) value = draw(source);
    return array;
  }

  Tensor tensor() { return Tensor(values.data(), dtype::f64, shape); }
  double& operator[](std::int64_t index) { return values[static_cast<std::size_t>(index)]; }
  // The element at these indices.
  double& at(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return (*this)[((a * shape[1] + b) * shape[2] + c) * shape[3] + d];
  }
};

}  // namespace rankone
