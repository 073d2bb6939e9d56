// SPDX-License-Identifier: MIT
// What an expression can read, at one token of a chunk and, in a per-key formula, one key column.
#pragma once

#include "device/math.cuh"
#include "kernels/parameter.cuh"

namespace rankone {

// `Place` is a family's view of a chunk: it knows the heads, the tokens' positions, and where inputs stand.
template <class T, class Place> struct At {
  Place place;
  int row, column;  // of the chunk, and of the block's part of K
  float key_value = 0.0f, decay_value = 1.0f;

  RK_DEVICE float key() const { return key_value; }
  RK_DEVICE float decay() const { return decay_value; }
  RK_DEVICE float head() const { return static_cast<float>(place.head()); }
  RK_DEVICE float heads() const { return static_cast<float>(place.arguments.value_heads); }
  RK_DEVICE float position() const { return static_cast<float>(place.position_of(row)); }
  template <int index> RK_DEVICE float scalar() const { return place.arguments.scalars[index]; }
  template <int index> RK_DEVICE float parameter() const {
    return load_parameter<T, index>(place.arguments, {place.query_head(), place.head(), place.key_of(column), 0});
  }
  template <int index> RK_DEVICE float input() const { return place.template input<index>(row, column); }
};

// An element of q and k through their expressions, where the decay is not per key.
template <class T, class Gate, class Place, class Tile>
RK_DEVICE void rewrite_element(const Place& place, const Tile& query, const Tile& key, int row, int column) {
  if (row >= place.rows || column >= T::key_dim) {
    if constexpr (!T::reads_key) key.store(row, column, 0.0f);
    return;  // loaded as zero
  }
  if constexpr (T::reads_query && T::has_feature_map)
    query.store(row, column, Gate::feature_map(query.load(row, column)));
  At<T, Place> at = place.at(row, column);
  if constexpr (T::reads_key) at.key_value = Gate::feature_map(key.load(row, column));
  key.store(row, column, Gate::key(at));
}

}  // namespace rankone
