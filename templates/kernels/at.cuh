// SPDX-License-Identifier: MIT
// What an expression can read, at one token of a chunk and, in a formula of keys or of values, one column.
#pragma once

#include "device/math.cuh"
#include "kernels/parameter.cuh"

namespace rankone {

// `Place` is a family's view of a chunk: it knows the heads, the tokens' positions, and where inputs stand.
template <class T, class Place> struct At {
  Place place;
  int row, column;  // of the chunk, and of the block's part of K or V
  float query_value = 0.0f, key_value = 0.0f, value_value = 0.0f, decay_value = 1.0f, read_value = 0.0f;

  RK_DEVICE float query() const { return query_value; }
  RK_DEVICE float key() const { return key_value; }
  RK_DEVICE float value() const { return value_value; }
  RK_DEVICE float decay() const { return decay_value; }
  RK_DEVICE float read() const { return read_value; }
  RK_DEVICE float head() const { return static_cast<float>(place.head()); }
  RK_DEVICE float heads() const { return static_cast<float>(place.arguments.value_heads); }
  RK_DEVICE float position() const { return static_cast<float>(place.position_of(row)); }
  template <int index> RK_DEVICE float scalar() const { return place.arguments.scalars[index]; }
  template <int index> RK_DEVICE float parameter() const {
    ParameterPlace at{place.query_head(), place.head(), 0, 0};
    if constexpr (has_axis(T::parameter_axes[index], key_axis)) at.key = place.key_of(column);
    if constexpr (has_axis(T::parameter_axes[index], value_axis)) at.column = place.value_of(column);
    return load_parameter<T, index>(place.arguments, at);
  }
  template <int index> RK_DEVICE float input() const { return place.template input<index>(row, column); }
};

// An element of q and k, which exists, through their expressions.
template <class T, class Gate, class At, class Tile>
RK_DEVICE void rewrite_existing(At& at, const Tile& query, const Tile& key) {
  if constexpr (T::reads_key) at.key_value = Gate::feature_map(key.load(at.row, at.column));
  if constexpr (T::rewrites_query) {
    at.query_value = Gate::feature_map(query.load(at.row, at.column));
    float result = at.query_value;
    if constexpr (T::has_query) result = Gate::query(at);
    query.store(at.row, at.column, result);
  }
  key.store(at.row, at.column, Gate::key(at));
}

// The same where the decay is not per key, of any element.
template <class T, class Gate, class Place, class Tile>
RK_DEVICE void rewrite_element(const Place& place, const Tile& query, const Tile& key, int row, int column) {
  if (row >= place.rows || column >= T::key_dim) {
    if constexpr (!T::reads_key) key.store(row, column, 0.0f);
    return;  // loaded as zero
  }
  At<T, Place> at = place.at(row, column);
  rewrite_existing<T, Gate>(at, query, key);
}

}  // namespace rankone
