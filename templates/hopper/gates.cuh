// SPDX-License-Identifier: MIT
// A staged chunk as expressions see it.
#pragma once

#include "hopper/cluster_share.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/work_items.cuh"
#include "kernels/at.cuh"

namespace rankone {

template <class T> struct StagePlace;
template <class T> using StageAt = At<T, StagePlace<T>>;

template <class T> struct StagePlace {
  const Arguments& arguments;
  WorkItemRecord item;
  int base;                                   // where the chunk's tiles start
  long long first_token;                      // of the chunk, from the item's start
  int first_column = first_rank_column<T>();  // of K, where the block's part starts
  int rows;  // tokens of the chunk that exist; formulas are evaluated for others too, and dropped
  RK_DEVICE StagePlace(const Arguments& all, const StageDescriptor& descriptor, int stage_base)
      : arguments(all), item(descriptor.item), base(stage_base), first_token(descriptor.first_token),
        rows(descriptor.rows) {}

  RK_DEVICE StageAt<T> at(int row, int column) const { return {*this, row, column}; }
  RK_DEVICE int head() const { return item.head(); }
  RK_DEVICE int query_head() const { return item.query_head(); }
  RK_DEVICE long long position_of(int row) const {
    return token_of<T>(item.position(), item.length(), first_token + row);
  }
  RK_DEVICE int key_of(int column) const {
    const bool exists = T::key_dim % block_keys == 0 || column < T::key_dim;
    return first_column + (exists ? column : T::key_dim - 1);
  }
  template <int index> RK_DEVICE float input(int row, int column) const {
    using Type = typename TypeOf<T::input_types[index]>::Type;
    constexpr int offset = T::layout.inputs[index];
    if constexpr (has_axis(T::input_axes[index], key_axis))
      return SwizzledTile<Type, T::chunk>{base + offset}.load(row, column);
    else
      return shared_load<float>(base + offset + row * 4);
  }
  RK_DEVICE bool exists(int row, int column) const {
    return row < rows && (T::key_dim % block_keys == 0 || column < T::key_dim);
  }
};

}  // namespace rankone
