// SPDX-License-Identifier: MIT
// Slopes of the loss on their way from formulas to the workspace.
#pragma once

#include "device/global.cuh"
#include "kernels/sequence.cuh"
#include "recurrent/backward_policy.cuh"
#include "recurrent/rows.cuh"

namespace rankone {

// What formulas, given the slopes of their results, add to those of what they read at one key, value column or element.
template <class T> struct LeafSlopes {
  float query = 0.0f, key = 0.0f, value = 0.0f, decay = 0.0f, read = 0.0f, normaliser = 0.0f, scanned = 0.0f,
        scanned_before = 0.0f;
  float inputs[T::inputs] = {};
  float parameters[T::parameters] = {};

  RK_DEVICE void add_query(float slope) { query += slope; }
  RK_DEVICE void add_key(float slope) { key += slope; }
  RK_DEVICE void add_value(float slope) { value += slope; }
  RK_DEVICE void add_decay(float slope) { decay += slope; }
  RK_DEVICE void add_read(float slope) { read += slope; }
  RK_DEVICE void add_normaliser(float slope) { normaliser += slope; }
  RK_DEVICE void add_scanned(float slope) { scanned += slope; }
  RK_DEVICE void add_scanned_before(float slope) { scanned_before += slope; }
  template <int index> RK_DEVICE void add_input(float slope) { inputs[index] += slope; }
  template <int index> RK_DEVICE void add_parameter(float slope) { parameters[index] += slope; }
};

// A sum over many tokens with what its additions rounded away.
struct LongSum {
  float sum = 0.0f, lost = 0.0f;
  RK_DEVICE void add(float term) {
    const float next = sum + term, rounded = next - sum;
    if (next - next == 0.0f) lost += (sum - (next - rounded)) + (term - rounded);  // of an infinite sum nothing is lost
    sum = next;
  }
  RK_DEVICE float total() const { return sum + lost; }
};

// The sum over a warp, in every lane.
RK_DEVICE float sum_over_warp(float value) {
#pragma unroll
  for (int lanes = 1; lanes < warp_size; lanes *= 2) value += shuffle_xor(value, lanes);
  return value;
}

// Where a block's parts of gradients stand in the workspace.
template <class T> struct SlopePlaces {
  const Arguments& arguments;
  const Work& work;

  // Of the token at a place of its row, or of one of its steps; what a token has once stands with its first one.
  RK_DEVICE Global<float> of_token(long long place, SlopePart part, int step = 0) const {
    return global<float>(arguments.token_slopes) +
           (((row_of(place) * T::token_steps + step) * arguments.value_heads + work.head) * T::slopes.token_floats +
            part.place + work.value_tile * part.tile_stride);
  }
  // Of a non-causal variant the rows of keys follow those of queries.
  RK_DEVICE long long row_of(long long place) const {
    if constexpr (!T::walks_queries)
      return rows_of_batch<T>(arguments) * arguments.tokens + work.batch * key_tokens(arguments) + place;
    return work.batch * arguments.tokens + place;
  }
  RK_DEVICE Global<float> of_sequence(SlopePart part) const {
    const long long row = work.sequence * arguments.value_heads + work.head;
    return global<float>(arguments.parameter_slopes) +
           (row * T::slopes.sequence_floats + part.place + work.value_tile * part.tile_stride);
  }
};

// Whether a caller wants a gradient.
template <class T> RK_DEVICE bool is_wanted(const Arguments& arguments, int index) {
  return port<T>(arguments, index).data != nullptr;
}

}  // namespace rankone
