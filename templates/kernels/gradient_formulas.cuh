// SPDX-License-Identifier: MIT
// Of the backward pass in chunks: slopes of what formulas give become gradients of what they read, and go to the caller's
// tensors; or to the workspace, where several value heads or chunks have parts of one.
#pragma once

#include "kernels/backward_gates.cuh"
#include "kernels/key_gradients.cuh"
#include "recurrent/reduce.cuh"

namespace rankone {

// Nothing passes a decay of zero. A sum over what passes other tokens leaves its roundings there, which a logarithm of many
// thousands would enlarge.
RK_DEVICE float slope_beside(float decay, float slope) { return decay != 0.0f ? slope : 0.0f; }

// Where a chunk's parts of parameters' gradients stand, a row for each warp.
template <class T>
RK_DEVICE Global<float> parameter_parts(const Arguments& arguments, long long slot, int head, int warp) {
  return global<float>(arguments.parameter_slopes) +
         ((slot * arguments.value_heads + head) * T::warps + warp) * T::slopes.sequence_floats;
}
// Of a slot that holds no chunk.
template <class T> RK_DEVICE void leave_no_parts(const Arguments& arguments, long long slot, int head) {
  const Global<float> parts = parameter_parts<T>(arguments, slot, head, 0);
  for (int i = thread_index(); i < T::warps * T::slopes.sequence_floats; i += T::threads)
    global_store<float>(parts + i, 0.0f);
}

template <class T, class Gate> struct FormulaGradients {
  using Storage = typename T::Storage;
  static constexpr GradientsLayout layout = T::layout;
  static constexpr int passes = (T::key_padded + 2 * warp_size - 1) / (2 * warp_size);  // of a warp over a row of keys
  static constexpr bool sums_inputs =
      T::has_head_inputs && (T::has_query || T::has_key || T::decays_by_key || weighs_own<T>);
  struct alignas(2 * sizeof(Storage)) Two {
    Storage low, high;
  };
  float value_inputs[2][T::inputs] = {};  // of the warp's rows of values
  float head_parameters[T::parameters] = {}, key_parameters[passes][2][T::parameters] = {};

  // A block of 16 rows and value columns, as accumulators hold it.
  RK_DEVICE void store_values(const TokenPlace<T>& place, int first, int first_column, const float (&slopes)[2][4]) {
    const LanePlace lane = lane_place();
    const TensorArgument& to = port<T>(place.arguments, T::Ports::dv);
    const bool is_whole = is_vectorized(place.arguments, T::Ports::dv) != 0 && T::value_dim % 16 == 0;
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      const int row = first + lane.group + 8 * side;
      if (row >= place.rows) continue;
      const Global<Storage> target =
          global<Storage>(to.data) + (place.work.batch * to.batch_stride + place.token(row) * to.token_stride +
                                      place.work.head * to.head_stride + first_column);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int column = half * 8 + 2 * lane.pair;
        float of_value[2];
#pragma unroll
        for (int i = 0; i < 2; ++i)
          of_value[i] = value_gradient(place, row, first_column + column + i, side, slopes[half][2 * side + i]);
        if (to.data == nullptr) continue;
        const Two both{Element<Storage>::from(of_value[0]), Element<Storage>::from(of_value[1])};
        if (is_whole) {
          global_store<Two>(target + column, both);
        } else {
          if (first_column + column < T::value_dim) global_store<Storage>(target + column, both.low);
          if (first_column + column + 1 < T::value_dim) global_store<Storage>(target + (column + 1), both.high);
        }
      }
    }
  }
  // Four lanes share a row.
  RK_DEVICE void store_value_inputs(int first, int warp_column) {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int side = 0; side < 2; ++side) {
#pragma unroll
      for (int i = 0; i < T::inputs; ++i) {
        float sum = value_inputs[side][i];
        sum += shuffle_xor(sum, 1);
        sum += shuffle_xor(sum, 2);
        const int row = first + lane.group + 8 * side;
        if (lane.pair == 0)
          shared_store<float>(layout.value_inputs + ((warp_column * T::chunk + row) * T::inputs + i) * 4, sum);
      }
    }
  }

  // Rows of keys, a warp each, and then what tokens have once, a thread each.
  RK_DEVICE void finish(const TokenPlace<T>& place) {
#pragma unroll 1
    for (int row = warp_index(); row < place.rows; row += T::warps) finish_row(place, row);
    if constexpr (sums_inputs || T::has_write_scale) sync_block();  // what formulas of keys add
    if (thread_index() < place.rows) finish_token(place, thread_index());
    if constexpr (T::parameter_count > 0) store_parameters(place);
  }

 private:
  template <class Leaves> RK_DEVICE void add_head_parameters(const Leaves& into) {
#pragma unroll
    for (int i = 0; i < T::parameter_count; ++i)
      if (!has_columns(T::parameter_axes[i])) head_parameters[i] += into.parameters[i];
  }

  RK_DEVICE float value_gradient(const TokenPlace<T>& place, int row, int column, int side, float slope) {
    if constexpr (!T::has_value) {
      return slope;
    } else {
      if (column >= T::value_dim) return 0.0f;
      TokenAt<T> at = place.at(row, column);
      at.value_value = place.template element<Storage>(T::Ports::v, place.work.head, row, column);
      LeafSlopes<T> into;
      Gate::value_backward(at, slope, into);
      store_inputs<value_axis>(place, row, column, into);
#pragma unroll
      for (int i = 0; i < T::input_count; ++i)
        if (!has_columns(T::input_axes[i])) value_inputs[side][i] += into.inputs[i];
      add_head_parameters(into);
      return into.value;
    }
  }

  RK_DEVICE void finish_row(const TokenPlace<T>& place, int row) {
    const Tile<float, T::key_padded> of_query{layout.query_slope}, of_key{layout.key_slope};
    float of_head[T::inputs] = {}, of_write = 0.0f;
#pragma unroll
    for (int pass = 0; pass < passes; ++pass) {
      const int key = 2 * (lane_index() + pass * warp_size);
      if (key >= T::key_dim) break;
      float query[2], written[2];
      load_pair(of_query, row, key, query[0], query[1]);
      load_pair(of_key, row, key, written[0], written[1]);
      if constexpr (T::rewrites_query || T::rewrites_key || T::has_write_scale || T::decays_by_key || weighs_own<T>) {
#pragma unroll
        for (int i = 0; i < 2; ++i)
          if (key + i < T::key_dim)
            pass_formulas(place, row, key + i, pass, i, query[i], written[i], of_head, of_write);
      }
      store_keys(place, T::Ports::dq, T::slopes.query, row, key, query);
      if constexpr (T::reads_key) store_keys(place, T::Ports::dk, T::slopes.key, row, key, written);
    }
    if constexpr (T::has_write_scale) {
      of_write = sum_over_warp(of_write);
      if (lane_index() == 0) shared_store<float>(layout.row_write + row * 4, of_write);
    }
    if constexpr (sums_inputs) {
#pragma unroll
      for (int i = 0; i < T::input_count; ++i) {
        if (has_columns(T::input_axes[i])) continue;
        const float sum = sum_over_warp(of_head[i]);
        if (lane_index() == 0) shared_store<float>(layout.row_inputs + (row * T::inputs + i) * 4, sum);
      }
    }
  }
  // From the slopes of the query and of the scaled key at one column to those of q and k.
  RK_DEVICE void pass_formulas(const TokenPlace<T>& place, int row, int column, int pass, int i, float& query,
                               float& written, float (&of_head)[T::inputs], float& of_write) {
    TokenAt<T> at = place.at(row, column);
    if constexpr (T::decays_by_key) at.decay_value = exp2(log2_decay(Gate::log_decay(at)));
    const float raw_query = place.template element<Storage>(T::Ports::q, place.work.query_head, row, column);
    float raw_key = 0.0f;
    at.query_value = Gate::feature_map(raw_query);
    if constexpr (T::reads_key) {
      raw_key = place.template element<Storage>(T::Ports::k, place.work.query_head, row, column);
      at.key_value = Gate::feature_map(raw_key);
    }
    LeafSlopes<T> into;
    if constexpr (weighs_own<T>) pass_bonus(at, row, query, written, into);
    float slope = written;
    if constexpr (T::has_write_scale) {
      of_write = multiply_add(written, Gate::key(at), of_write);
      slope *= shared_load<float>(layout.write + row * 4);
    }
    if constexpr (T::has_query)
      Gate::query_backward(at, query, into);
    else
      into.add_query(query);
    Gate::key_backward(at, slope, into);
    query = Gate::feature_map_backward(raw_query, into.query);
    if constexpr (T::reads_key) written = Gate::feature_map_backward(raw_key, into.key);
    if constexpr (T::decays_by_key && T::has_gates) {
      const float slope = slope_beside(at.decay_value, KeyGradients<T, Gate>::log_slope(row, column));
      Gate::log_decay_backward(at, multiply_add(at.decay_value, into.decay, slope), into);
    }
    store_inputs<key_axis>(place, row, column, into);
#pragma unroll
    for (int input = 0; input < T::input_count; ++input)
      if (!has_columns(T::input_axes[input])) of_head[input] += into.inputs[input];
#pragma unroll
    for (int p = 0; p < T::parameter_count; ++p)
      if (has_axis(T::parameter_axes[p], key_axis)) key_parameters[pass][i][p] += into.parameters[p];
    add_head_parameters(into);
  }

  // A token's query times its own key, each column by its weight.
  RK_DEVICE void pass_bonus(const TokenAt<T>& at, int row, float& query, float& written, LeafSlopes<T>& into) const {
    float own, read = at.query_value, scaled = Gate::key(at);
    if constexpr (T::decays_by_key)
      own = KeyGradients<T, Gate>::own_slope(row);
    else
      own = shared_load<float>(layout.own_slope + row * 4);
    if constexpr (T::has_query) read = Gate::query(at);
    if constexpr (T::has_write_scale) scaled *= shared_load<float>(layout.write + row * 4);
    const float weight = Gate::bonus(at) * own;
    query = multiply_add(weight, scaled, query);
    written = multiply_add(weight, read, written);
    Gate::bonus_backward(at, read * scaled * own, into);
  }

  // Whether each value head has a row of the tensor for itself.
  static RK_DEVICE bool is_own(const Arguments& arguments, unsigned axes) {
    return head_group<T>(arguments, axes).members == 1;
  }
  static RK_DEVICE Global<float> token_parts(const TokenPlace<T>& place, int row) {
    const long long token = place.work.batch * place.arguments.tokens + place.token(row);
    return global<float>(place.arguments.token_slopes) +
           (token * place.arguments.value_heads + place.work.head) * T::slopes.token_floats;
  }
  RK_DEVICE void store_keys(const TokenPlace<T>& place, int gradient, SlopePart part, int row, int key,
                            const float (&slopes)[2]) const {
    const TensorArgument& to = port<T>(place.arguments, gradient);
    if (to.data == nullptr) return;
    const bool has_second = T::key_dim % 2 == 0 || key + 1 < T::key_dim;
    if (!is_own(place.arguments, query_head_axis)) {
      const Global<float> parts = token_parts(place, row) + (part.place + key);
      global_store<float>(parts, slopes[0]);
      if (has_second) global_store<float>(parts + 1, slopes[1]);
      return;
    }
    const Global<Storage> target =
        global<Storage>(to.data) + (place.work.batch * to.batch_stride + place.token(row) * to.token_stride +
                                    place.work.query_head * to.head_stride + key);
    const Two both{Element<Storage>::from(slopes[0]), Element<Storage>::from(slopes[1])};
    if (T::key_dim % 2 == 0 && is_vectorized(place.arguments, gradient) != 0) {
      global_store<Two>(target, both);
    } else {
      global_store<Storage>(target, both.low);
      if (has_second) global_store<Storage>(target + 1, both.high);
    }
  }
  // Those that run over keys, or over value columns.
  template <AxisBit axis, int index = 0>
  RK_DEVICE void store_inputs(const TokenPlace<T>& place, int row, int column, const LeafSlopes<T>& into) const {
    if constexpr (index < T::input_count) {
      if constexpr (has_axis(T::input_axes[index], axis)) store_input<index>(place, row, column, into.inputs[index]);
      store_inputs<axis, index + 1>(place, row, column, into);
    }
  }
  template <int index> RK_DEVICE void store_input(const TokenPlace<T>& place, int row, int column, float slope) const {
    using Type = typename TypeOf<T::input_types[index]>::Type;
    constexpr unsigned axes = T::input_axes[index];
    constexpr SlopePart part = T::slopes.inputs[index];
    const TensorArgument& to = port<T>(place.arguments, T::Ports::first_input_gradient + index);
    if (to.data == nullptr) return;
    if (part.width > 0 && !is_own(place.arguments, axes))
      return global_store<float>(token_parts(place, row) + (part.place + column), slope);
    const int head = has_axis(axes, query_head_axis)   ? place.work.query_head
                     : has_axis(axes, value_head_axis) ? place.work.head
                                                       : 0;
    global_store<Type>(global<Type>(to.data) + (place.work.batch * to.batch_stride +
                                                place.token(row) * to.token_stride + head * to.head_stride + column),
                       Element<Type>::from(slope));
  }

  RK_DEVICE void finish_token(const TokenPlace<T>& place, int row) {
    const TokenAt<T> at = place.at(row, 0);
    LeafSlopes<T> into;
    if constexpr (T::has_gates && !T::decays_by_key) {
      const float decay = exp2(log2_decay(Gate::log_decay(at)));
      Gate::log_decay_backward(at, slope_beside(decay, shared_load<float>(layout.log_slope + row * 4)), into);
    }
    if constexpr (T::has_write_scale)
      Gate::write_scale_backward(at, shared_load<float>(layout.row_write + row * 4), into);
    finish_inputs(place, row, into);
    add_head_parameters(into);
  }
  template <int index = 0>
  RK_DEVICE void finish_inputs(const TokenPlace<T>& place, int row, const LeafSlopes<T>& into) const {
    if constexpr (index < T::input_count) {
      if constexpr (!has_columns(T::input_axes[index])) {
        float slope = into.inputs[index];
        if constexpr (sums_inputs) slope += shared_load<float>(layout.row_inputs + (row * T::inputs + index) * 4);
        if constexpr (T::has_value) {
          for (int warp = 0; warp < T::columns; ++warp)
            slope += shared_load<float>(layout.value_inputs + ((warp * T::chunk + row) * T::inputs + index) * 4);
        }
        store_input<index>(place, row, 0, slope);
      }
      finish_inputs<index + 1>(place, row, into);
    }
  }

  template <int index = 0> RK_DEVICE void store_parameters(const TokenPlace<T>& place) const {
    if constexpr (index < T::parameter_count) {
      constexpr SlopePart part = T::slopes.parameters[index];
      const Global<float> parts =
          parameter_parts<T>(place.arguments, place.work.first_slot, place.work.head, warp_index()) + part.place;
      if constexpr (has_axis(T::parameter_axes[index], key_axis)) {
#pragma unroll
        for (int pass = 0; pass < passes; ++pass) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const int key = 2 * (lane_index() + pass * warp_size) + i;
            if (key < T::key_dim) global_store<float>(parts + key, key_parameters[pass][i][index]);
          }
        }
      } else {
        const float sum = sum_over_warp(head_parameters[index]);
        if (lane_index() == 0) global_store<float>(parts, sum);
      }
      store_parameters<index + 1>(place);
    }
  }
};

}  // namespace rankone
