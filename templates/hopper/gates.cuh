// SPDX-License-Identifier: MIT
// What an expression can read at one token and key column of a staged chunk.
#pragma once

#include "device/global.cuh"
#include "device/math.cuh"
#include "hopper/cluster_share.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/work_items.cuh"

namespace rankone {

template <class T> struct StageAt {
  const Arguments& arguments;
  WorkItemRecord item;
  int base;               // where the chunk's tiles start
  long long first_token;  // of the chunk, from the item's start
  int first_column;       // of K, where the block's own columns start
  int row, column;        // of these
  float key_value = 0.0f, decay_value = 1.0f;

  RK_DEVICE float key() const { return key_value; }
  RK_DEVICE float decay() const { return decay_value; }
  RK_DEVICE float head() const { return static_cast<float>(item.head()); }
  RK_DEVICE float heads() const { return static_cast<float>(arguments.value_heads); }
  RK_DEVICE float position() const { return static_cast<float>(item.position() + first_token + row); }
  template <int index> RK_DEVICE float scalar() const { return arguments.scalars[index]; }
  template <int index> RK_DEVICE float parameter() const {
    using Type = typename TypeOf<T::parameter_types[index]>::Type;
    constexpr unsigned axes = T::parameter_axes[index];
    long long element = 0;
    if constexpr ((axes & 1u) != 0) element = item.query_head();
    if constexpr ((axes & 2u) != 0) element = item.head();
    if constexpr ((axes & 4u) != 0) {
      const bool exists = T::key_dim % 64 == 0 || column < T::key_dim;
      element = element * T::key_dim + first_column + (exists ? column : T::key_dim - 1);
    }
    return to_float(global_load<Type>(global<const Type>(arguments.parameters[index]) + element));
  }
  template <int index> RK_DEVICE float input() const {
    using Type = typename TypeOf<T::input_types[index]>::Type;
    constexpr int offset = T::layout.inputs[index];
    if constexpr (T::input_is_per_key[index])
      return SwizzledTile<Type, T::chunk>{base + offset}.load(row, column);
    else
      return shared_load<float>(base + offset + row * 4);
  }
};

template <class T> struct StagePlace {
  const Arguments& arguments;
  WorkItemRecord item;
  int base;
  long long first_token;
  int first_column = first_rank_column<T>();
  int rows;  // tokens of the chunk that exist; formulas are evaluated for others too, and dropped
  RK_DEVICE StagePlace(const Arguments& all, const StageDescriptor& descriptor, int stage_base)
      : arguments(all), item(descriptor.item), base(stage_base), first_token(descriptor.first_token),
        rows(descriptor.rows) {}
  RK_DEVICE StageAt<T> at(int row, int column) const {
    return {arguments, item, base, first_token, first_column, row, column};
  }
  RK_DEVICE bool exists(int row, int column) const {
    return row < rows && (T::key_dim % 64 == 0 || column < T::key_dim);
  }
};

}  // namespace rankone
