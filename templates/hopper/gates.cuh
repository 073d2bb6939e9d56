// SPDX-License-Identifier: MIT
// What an expression can read at one token and key column of a staged chunk.
#pragma once

#include "device/math.cuh"
#include "hopper/panel.cuh"
#include "hopper/walk.cuh"

namespace rankone {

template <class T>
struct PanelAt {
  const Arguments& arguments;
  const Work& work;
  int base;               // where the chunk's tiles start
  long long first_token;  // of the chunk, from work.start
  int row, column;
  int last_row;           // of the chunk's tokens; formulas are evaluated after it too, and dropped
  float key_value = 0.0f, decay_value = 1.0f;

  RK_DEVICE float key() const { return key_value; }
  RK_DEVICE float decay() const { return decay_value; }
  RK_DEVICE float head() const { return static_cast<float>(work.head); }
  RK_DEVICE float heads() const { return static_cast<float>(arguments.value_heads); }
  RK_DEVICE float position() const { return static_cast<float>(work.position + first_token + row); }
  template <int index> RK_DEVICE float scalar() const { return arguments.scalars[index]; }
  template <int index> RK_DEVICE float parameter() const {
    using Type = typename TypeOf<T::parameter_types[index]>::Type;
    constexpr unsigned axes = T::parameter_axes[index];
    long long element = 0;
    if constexpr ((axes & 1u) != 0) element = work.query_head;
    if constexpr ((axes & 2u) != 0) element = work.head;
    if constexpr ((axes & 4u) != 0) element = element * T::key_dim + (column < T::key_dim ? column : T::key_dim - 1);
    return to_float(static_cast<const Type*>(arguments.parameters[index])[element]);
  }
  template <int index> RK_DEVICE float input() const {
    using Type = typename TypeOf<T::input_types[index]>::Type;
    if constexpr (T::input_is_per_key[index]) {
      constexpr int offset = T::layout.inputs[index];
      return Panels<Type, T::chunk>{base + offset}.load(row, column);
    } else {
      const TensorArgument& tensor = arguments.inputs[index];
      const int head = T::input_has_key_heads[index] ? work.query_head : work.head;
      return to_float(static_cast<const Type*>(tensor.data)[work.batch * tensor.batch_stride +
                                                            (work.start + first_token + (row < last_row ? row : last_row)) *
                                                                tensor.token_stride +
                                                            head * tensor.head_stride]);
    }
  }
};

template <class T>
struct PanelPlace {
  const Arguments& arguments;
  const Work& work;
  int base;
  long long first_token;
  int rows;  // tokens of the chunk that exist
  RK_DEVICE PanelAt<T> at(int row, int column) const { return {arguments, work, base, first_token, row, column, rows - 1}; }
  RK_DEVICE bool exists(int row, int column) const { return row < rows && (T::key_dim % 64 == 0 || column < T::key_dim); }
};

}  // namespace rankone
