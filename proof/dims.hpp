// SPDX-License-Identifier: MIT
// The sizes of one call, and the shapes that a variant's tensors then have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

#include "codegen/axis.hpp"

namespace rankone {

struct Dims {
  std::int64_t batch = 1, tokens = 1;       // B, T
  std::int64_t heads = 1, value_heads = 1;  // H, HV
  std::int64_t key_dim = 1;                 // K
  std::int64_t features = 0;                // F; 0: as many as K
  std::int64_t value_dim = 1;               // V
  std::int64_t slot_dim = 0;                // M, of a chain; 0: as many as K
  std::int64_t sequences = 1;               // N
  std::int64_t slots = 0;                   // P, of decoding
  std::int64_t key_tokens = -1;             // Tk, of a non-causal variant; below 0: T
  std::int64_t steps = 1;                   // of a token

  std::int64_t memory() const { return slot_dim != 0 ? slot_dim : key_dim; }
  std::int64_t keys() const { return key_tokens >= 0 ? key_tokens : tokens; }
  Shape shape() const { return {batch, tokens, heads, value_heads, sequences, key_tokens}; }
};

// What compile() takes: N only where sequences are packed.
Shape expected_shape(const Dims& dims);

// Those of calls that are drawn at random: N is left out, and so may HV be. Throws Error(invalid_argument).
Dims drawn_dims(const CompileOptions& options, const Shape& shape, const std::string& where);

// K and V as a pass of a chain has them.
Dims dims_in(Stage stage, Dims of_chain);

AxisSizes sizes_of(const Dims& dims);
std::vector<std::int64_t> sizes_of(const AxisList& axes, const Dims& dims);
std::int64_t product(const std::vector<std::int64_t>& sizes);
std::string to_string(const Dims& dims);  // "B=8,T=4096,H=16,HV=16,K=128,V=128"

}  // namespace rankone
