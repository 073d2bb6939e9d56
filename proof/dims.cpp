// SPDX-License-Identifier: MIT
// The sizes of one call, and the shapes that a variant's tensors then have.
#include "proof/dims.hpp"

#include <algorithm>

#include <rankone/error.hpp>

namespace rankone {

Shape expected_shape(const Dims& dims) {
  Shape shape = dims.shape();
  if (shape.sequences == shape.batch) shape.sequences = 0;
  return shape;
}

Dims drawn_dims(const CompileOptions& options, const Shape& shape, const std::string& where) {
  const Dims dims{.batch = shape.batch,
                  .tokens = shape.tokens,
                  .heads = shape.heads,
                  .value_heads = shape.value_heads != 0 ? shape.value_heads : shape.heads,
                  .key_dim = options.key_dim,
                  .value_dim = options.value_dim,
                  .slot_dim = options.slot_dim,
                  .sequences = shape.batch,
                  .key_tokens = shape.key_tokens};
  if (std::min({dims.batch, dims.tokens, dims.heads, dims.value_heads}) < 1 || shape.sequences != 0 ||
      dims.value_heads % dims.heads != 0)
    throw Error(ErrorCode::invalid_argument, "no inputs of this shape are drawn",
                to_string(dims) + ", N=" + std::to_string(shape.sequences),
                "B, T, H and HV from 1, HV a multiple of H, and N=0", where);
  return dims;
}

Dims dims_in(Stage stage, Dims of_chain) {
  if (stage == Stage::first) of_chain.value_dim = of_chain.memory();
  if (stage == Stage::second) of_chain.key_dim = of_chain.memory();
  return of_chain;
}

AxisSizes sizes_of(const Dims& dims) {
  AxisSizes sizes(dims.steps);
  sizes.set(Axis::batch, dims.batch), sizes.set(Axis::tokens, dims.tokens);
  sizes.set(Axis::heads, dims.heads), sizes.set(Axis::value_heads, dims.value_heads);
  sizes.set(Axis::key, dims.key_dim), sizes.set(Axis::value, dims.value_dim);
  sizes.set(Axis::feature, dims.features != 0 ? dims.features : dims.key_dim);
  sizes.set(Axis::memory_slot, dims.memory());
  sizes.set(Axis::sequences, dims.sequences);
  sizes.set(Axis::slots, dims.slots);
  sizes.set(Axis::key_tokens, dims.keys());
  return sizes;
}

std::vector<std::int64_t> sizes_of(const AxisList& axes, const Dims& dims) {
  std::vector<std::int64_t> sizes;
  for (const Axis axis : axes) sizes.push_back(sizes_of(dims)[axis]);
  return sizes;
}

std::int64_t product(const std::vector<std::int64_t>& sizes) {
  std::int64_t elements = 1;
  for (const std::int64_t size : sizes)
    if (__builtin_mul_overflow(elements, size, &elements))
      throw Error(ErrorCode::unsupported, "a tensor has too many elements", "more than 2^63", "at most 2^63 - 1",
                  "shape");
  return elements;
}

std::string to_string(const Dims& dims) {
  return "B=" + std::to_string(dims.batch) + ",T=" + std::to_string(dims.tokens) + ",H=" + std::to_string(dims.heads) +
         ",HV=" + std::to_string(dims.value_heads) + ",K=" + std::to_string(dims.key_dim) +
         ",V=" + std::to_string(dims.value_dim) + (dims.slot_dim != 0 ? ",M=" + std::to_string(dims.slot_dim) : "") +
         (dims.key_tokens >= 0 ? ",Tk=" + std::to_string(dims.key_tokens) : "");
}

}  // namespace rankone
