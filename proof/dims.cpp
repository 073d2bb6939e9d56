// SPDX-License-Identifier: MIT
// The sizes of one call, and the shapes that a variant's tensors then have.
#include "proof/dims.hpp"

#include <rankone/error.hpp>

namespace rankone {

std::int64_t size_of_axis(const std::string& axis, const Dims& dims) {
  if (axis == "B") return dims.batch;
  if (axis == "T") return dims.tokens;
  if (axis == "H") return dims.heads;
  if (axis == "HV") return dims.value_heads;
  if (axis == "K") return dims.key_dim;
  if (axis == "V") return dims.value_dim;
  if (axis == "N") return dims.sequences;
  if (axis == "N+1") return dims.sequences + 1;
  throw Error(ErrorCode::internal, "an axis without a size", axis, "B, T, H, HV, K, V, N, N+1");
}

std::vector<std::int64_t> sizes_of(const TensorPlan& tensor, const Dims& dims) {
  std::vector<std::int64_t> sizes;
  for (const std::string& axis : tensor.axes) sizes.push_back(size_of_axis(axis, dims));
  return sizes;
}

std::int64_t product(const std::vector<std::int64_t>& sizes) {
  std::int64_t elements = 1;
  for (const std::int64_t size : sizes)
    if (__builtin_mul_overflow(elements, size, &elements))
      throw Error(ErrorCode::unsupported, "a tensor has too many elements", "more than 2^63", "at most 2^63 - 1");
  return elements;
}

std::string to_string(const Dims& dims) {
  return "B=" + std::to_string(dims.batch) + ",T=" + std::to_string(dims.tokens) + ",H=" + std::to_string(dims.heads) +
         ",HV=" + std::to_string(dims.value_heads) + ",K=" + std::to_string(dims.key_dim) +
         ",V=" + std::to_string(dims.value_dim);
}

}  // namespace rankone
