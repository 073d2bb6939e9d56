// SPDX-License-Identifier: MIT
// Of the recurrent family's backward pass: a block's parts of gradients. Slopes of what formulas read are summed over what the
// tensor lacks, a token's steps, keys, columns or tokens, and left in the workspace.
#pragma once

#include "recurrent/slopes.cuh"
#include "recurrent/step.cuh"

namespace rankone {

template <class T, class Gate> struct GradientParts {
  using Storage = typename T::Storage;
  using Matrix = RegisterMatrix<T, Gate>;
  static constexpr BackwardLayout layout = T::backward;
  static constexpr RecurrentLayout token_layout = T::layout;
  static constexpr int keys = Tokens<T, Gate>::keys, columns = Tokens<T, Gate>::columns, rows = Matrix::rows;
  static constexpr int tile_bytes = T::value_tile * 4, sum_bytes = token_layout.key_warps * tile_bytes;
  const Arguments& arguments;
  const Work& work;
  const SlopePlaces<T> places;
  Matrix state, slopes;  // what the loss gains by each element of the state
  Tokens<T, Gate> tokens;
  float of_head[T::inputs] = {};
  // Of a token's later steps, for inputs that a token has once.
  static constexpr int later = T::token_steps > 1 ? T::inputs : 1;
  float later_keys[keys][later] = {}, later_columns[columns][later] = {};
  LongSum key_parameters[keys][T::parameters], column_parameters[columns][T::parameters],
      head_parameters[T::parameters];
  LongSum element_parameters[T::parameters][rows][thread_columns];
  float scan_slopes[Tokens<T, Gate>::scans] = {};  // of what a scan has summed up behind the token at hand
  int half = 0;

  RK_DEVICE GradientParts(const Arguments& from, const Work& of)
      : arguments(from), work(of), places{from, of}, state(from, of), slopes(from, of), tokens(from, of) {}

 protected:
  RK_DEVICE void turn() { half = half == 0 ? token_layout.half_bytes : 0; }
  RK_DEVICE long long place_of(long long index) const { return place_of_step<T>(work, index); }
  RK_DEVICE TokenRows rows_of(long long index) const { return rows_of_step<T>(arguments, work, index); }
  // Of what the elements of a full decay read.
  static RK_DEVICE int key_input_place(int index) {
    return layout.key_input_slopes + index * token_layout.column_warps * token_layout.rows * 4;
  }
  static RK_DEVICE int value_input_place(int index) { return layout.value_input_slopes + index * sum_bytes; }
  // Of a step of a span.
  static RK_DEVICE int erased_keys_of(int step) { return layout.erased_keys + step * token_layout.rows * 4; }

  RK_DEVICE void store_column(long long index, int i, int column, const LeafSlopes<T>& into) {
    if constexpr (T::reads_value && T::walks_keys) store_value(index, column, into.value);
    store_column_inputs(index, i, column, into);
    add_column_parameters(i, into);
  }
  RK_DEVICE void store_value(long long index, int column, float slope) {
    const TensorArgument& dv = port<T>(arguments, T::Ports::dv);
    if (dv.data == nullptr) return;
    if constexpr (T::bidirectional) {
      const Global<float> sum = value_slope(index) + (work.value_column + column);
      if constexpr (T::is_downward)
        slope += global_load<float>(sum);
      else
        return global_store<float>(sum, slope);
    }
    global_store<Storage>(
        global<Storage>(dv.data) + (work.batch * dv.batch_stride + rows_of(index).step * dv.token_stride +
                                    work.head * dv.head_stride + work.value_column + column),
        Element<Storage>::from(slope));
  }
  // Of the first of two walks.
  RK_DEVICE Global<float> value_slope(long long index) const {
    const long long row = work.batch * arguments.tokens + place_of(index);
    return global<float>(arguments.segment_decays) + row_of_head(arguments, work, row, T::value_dim);
  }
  template <int input = 0>
  RK_DEVICE void store_column_inputs(long long index, int i, int column, const LeafSlopes<T>& into) {
    if constexpr (input < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[input]);
      float slope = into.inputs[input];
      if constexpr (axes.values) {
        if constexpr (T::decays_by_element && T::differentiates_decay)
          if (decays_before<T>(index)) slope += load_column_sum<T>(value_input_place(input), column);
        if constexpr (fetches_input<T>(input))
          store_input<input>(index, later_columns[i], work.value_column + column, slope);
      } else if constexpr (!axes.keys) {
        of_head[input] += slope;
      }
      store_column_inputs<input + 1>(index, i, column, into);
    }
  }
  // At one key or column. What a token has once is summed over its steps.
  template <int input> RK_DEVICE void store_input(long long index, float (&of_later)[later], int element, float slope) {
    constexpr SlopePart part = T::slopes.inputs[input];
    constexpr int gradient = T::Ports::first_input_gradient + input;
    if constexpr (T::token_steps == 1 || is_of_steps<T>(input)) {
      store_slope(index, part, element, slope, gradient, is_of_steps<T>(input));
    } else {
      slope += of_later[input];
      const bool is_first = decays_before<T>(index);
      of_later[input] = is_first ? 0.0f : slope;
      if (is_first) store_slope(index, part, element, slope, gradient, false);
    }
  }
  template <int index = 0> RK_DEVICE void add_column_parameters(int i, const LeafSlopes<T>& into) {
    if constexpr (index < T::parameter_count) {
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      if constexpr (axes.values)
        column_parameters[i][index].add(into.parameters[index]);
      else if constexpr (!axes.keys)
        head_parameters[index].add(into.parameters[index]);
      add_column_parameters<index + 1>(i, into);
    }
  }
  // The second of two walks adds to what the first one has left.
  static RK_DEVICE void store_sum(Global<float> place, float sum) {
    if constexpr (T::is_downward) sum += global_load<float>(place);
    global_store<float>(place, sum);
  }
  RK_DEVICE void store_slope(long long index, SlopePart part, int element, float slope, int gradient,
                             bool of_steps) const {
    if (is_wanted<T>(arguments, gradient))
      store_sum(places.of_token(place_of(index), part, of_steps ? step_in_token<T>(index) : 0) + element, slope);
  }

  RK_DEVICE void store_key(long long index, int i, int key, const LeafSlopes<T>& into) {
    constexpr SlopePart query = T::slopes.query, of_key = T::slopes.key;
    if constexpr (T::piece_count == 0) {
      if constexpr (T::reads_query && T::walks_queries)
        if (is_read<T>(index)) store_slope(index, query, key, into.query, T::Ports::dq, false);
      if constexpr (T::reads_key && T::walks_keys) store_slope(index, of_key, key, into.key, T::Ports::dk, true);
    }
    store_key_inputs(index, i, key, into);
    add_key_parameters(i, into);
  }
  template <int input = 0> RK_DEVICE void store_key_inputs(long long index, int i, int key, const LeafSlopes<T>& into) {
    if constexpr (input < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[input]);
      float slope = into.inputs[input];
      if constexpr (axes.keys) {
        if constexpr (T::decays_by_element && T::differentiates_decay)
          if (decays_before<T>(index)) slope += load_row_sum<T>(key_input_place(input), key);
        if constexpr (fetches_input<T>(input)) store_input<input>(index, later_keys[i], key, slope);
      } else if constexpr (!axes.values) {
        of_head[input] += slope;
      }
      store_key_inputs<input + 1>(index, i, key, into);
    }
  }
  template <int index = 0> RK_DEVICE void add_key_parameters(int i, const LeafSlopes<T>& into) {
    if constexpr (index < T::parameter_count) {
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      if constexpr (axes.keys && !axes.values)
        key_parameters[i][index].add(into.parameters[index]);
      else if constexpr (!axes.keys && !axes.values)
        head_parameters[index].add(into.parameters[index]);
      add_key_parameters<index + 1>(i, into);
    }
  }

  // Inputs that have one number a head gain by all keys and columns.
  RK_DEVICE void store_head_inputs(long long index) {
    store_warps_of_head(index);
    sync_block();  // what all warps have
    if (thread_index() == 0) store_sums_of_head(index);
  }
  // What a token has once is summed over its steps.
  template <int input> static RK_DEVICE bool is_complete(long long index) {
    return is_of_steps<T>(input) || decays_before<T>(index);
  }
  template <int input = 0> RK_DEVICE void store_warps_of_head(long long index) {
    if constexpr (input < T::input_count) {
      if (is_of_heads(T::input_axes[input]) && is_complete<input>(index)) {
        const float sum = sum_over_warp(of_head[input]);
        of_head[input] = 0.0f;
        if (lane_index() == 0) shared_store<float>(head_place(input, warp_index()), sum);
      }
      store_warps_of_head<input + 1>(index);
    }
  }
  template <int input = 0> RK_DEVICE void store_sums_of_head(long long index) const {
    if constexpr (input < T::input_count) {
      constexpr SlopePart part = T::slopes.inputs[input];
      if (is_of_heads(T::input_axes[input]) && fetches_input<T>(input) && is_complete<input>(index))
        store_slope(index, part, 0, sum_of_warps(input), T::Ports::first_input_gradient + input, is_of_steps<T>(input));
      store_sums_of_head<input + 1>(index);
    }
  }
  static RK_DEVICE int head_place(int input, int warp) { return layout.head_slopes + (input * T::warps + warp) * 4; }
  RK_DEVICE float sum_of_warps(int input) const {
    float sum = 0.0f;
    for (int warp = 0; warp < T::warps; ++warp) sum += shared_load<float>(head_place(input, warp));
    return sum;
  }

  // The tile's part of the initial sum's gradient.
  RK_DEVICE void store_sum_slopes() const {
    constexpr SlopePart part = T::slopes.sum;
    if (is_wanted<T>(arguments, T::Ports::dinitial_state_sum)) slopes.store_sum(places.of_sequence(part));
  }

  // Of a scan: all that is read of it behind the last token is one tile's.
  RK_DEVICE void load_scan_slopes() {
    const void* const from = port<T>(arguments, T::Ports::dfinal_state_scan).data;
    if (from == nullptr || work.value_tile != 0) return;
    const Global<const float> row =
        global<const float>(from) + row_of_head(arguments, work, work.sequence, T::scan_width);
    tokens.visit_scans([&](int key, int i) { scan_slopes[i] = global_load<float>(row + key); });
  }
  RK_DEVICE void store_scan_slopes() const {
    constexpr SlopePart part = T::slopes.scan;
    if (!is_wanted<T>(arguments, T::Ports::dinitial_state_scan)) return;
    const Global<float> to = places.of_sequence(part);
    tokens.visit_scans([&](int key, int i) { global_store<float>(to + key, scan_slopes[i]); });
  }

  // Where the walk back begins and ends, the slopes of the last token's key, of which one tile takes what the loss gives, and of
  // its value.
  RK_DEVICE void load_last_slopes(float (&of_keys)[Tokens<T, Gate>::lagged_keys],
                                  float (&of_values)[Tokens<T, Gate>::lagged_columns]) const {
    const void *const dkey = port<T>(arguments, T::Ports::dfinal_state_key).data,
                      *const dvalue = port<T>(arguments, T::Ports::dfinal_state_value).data;
    if (dkey != nullptr && work.value_tile == 0) {
      const Global<const float> from =
          global<const float>(dkey) + row_of_head(arguments, work, work.sequence, T::key_dim);
      tokens.visit_keys([&](int key, int i) { of_keys[i] = global_load<float>(from + key); });
    }
    if (dvalue == nullptr) return;
    const Global<const float> from =
        global<const float>(dvalue) + (row_of_head(arguments, work, work.sequence, T::value_dim) + work.value_column);
    tokens.visit_columns([&](int column, int i) { of_values[i] = global_load<float>(from + column); });
  }
  RK_DEVICE void store_last_slopes(const float (&of_keys)[Tokens<T, Gate>::lagged_keys],
                                   const float (&of_values)[Tokens<T, Gate>::lagged_columns]) const {
    constexpr SlopePart part = T::slopes.last_key;
    if (is_wanted<T>(arguments, T::Ports::dinitial_state_key)) {
      const Global<float> to = places.of_sequence(part);
      tokens.visit_keys([&](int key, int i) { global_store<float>(to + key, of_keys[i]); });
    }
    void* const dvalue = port<T>(arguments, T::Ports::dinitial_state_value).data;
    if (dvalue == nullptr) return;
    const Global<float> to =
        global<float>(dvalue) + (row_of_head(arguments, work, work.sequence, T::value_dim) + work.value_column);
    tokens.visit_columns([&](int column, int i) { global_store<float>(to + column, of_values[i]); });
  }

  // The sequence's part of parameters' gradients.
  template <int index = 0> RK_DEVICE void store_parameters() {
    if constexpr (index < T::parameter_count) {
      constexpr SlopePart part = T::slopes.parameters[index];
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      if (is_wanted<T>(arguments, T::Ports::first_parameter_gradient + index)) {
        const Global<float> place = places.of_sequence(part);
        if constexpr (axes.keys && axes.values)
          store_element_parameters(place, index);
        else if constexpr (axes.keys)
          store_key_parameters(place, index);
        else if constexpr (axes.values)
          store_column_parameters(place, index);
        else
          store_head_parameter(place, index);
      }
      store_parameters<index + 1>();
    }
  }
  RK_DEVICE void store_element_parameters(Global<float> place, int p) const {
    state.for_each_row([&](int row, int i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        const int column = state.first_column + j;
        if (state.has_row(row) && state.has_column(column))
          store_sum(place + (static_cast<long long>(row) * T::value_dim + work.value_column + column),
                    element_parameters[p][i][j].total());
      }
    });
  }
  RK_DEVICE void store_key_parameters(Global<float> place, int p) {
    if constexpr (T::decays_by_element) {
      sync_block();  // all keys have been finished
      state.store_row_sums(layout.query_slope, [&](int i) { return element_parameters[p][i][0].total(); });
      sync_block();  // what all columns have
    }
#pragma unroll
    for (int i = 0; i < keys; ++i) {
      const int key = thread_index() + i * T::threads;
      if (key >= T::key_dim) break;
      float sum = key_parameters[i][p].total();
      if constexpr (T::decays_by_element) sum += load_row_sum<T>(layout.query_slope, key);
      store_sum(place + key, sum);
    }
  }
  RK_DEVICE void store_column_parameters(Global<float> place, int p) {
    if constexpr (T::decays_by_element) {
      turn();
      Columns sums;
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) sums.value[j] = element_parameters[p][0][j].total();
      store_column_sums<T>(half + token_layout.erased, sums, state.first_column);
      sync_block();  // what all keys have
    }
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      const int column = thread_index() + i * T::threads;
      if (column >= T::value_tile || !tokens.exists(column)) break;
      float sum = column_parameters[i][p].total();
      if constexpr (T::decays_by_element) sum += load_column_sum<T>(half + token_layout.erased, column);
      store_sum(place + (work.value_column + column), sum);
    }
  }
  RK_DEVICE void store_head_parameter(Global<float> place, int p) {
    turn();
    float part = head_parameters[p].total();
    if constexpr (T::decays_by_element) part += element_parameters[p][0][0].total();
    part = sum_over_warp(part);
    if (lane_index() == 0) shared_store<float>(half + token_layout.read + warp_index() * 4, part);
    sync_block();  // what all warps have
    if (thread_index() != 0) return;
    float sum = 0.0f;
    for (int warp = 0; warp < T::warps; ++warp) sum += shared_load<float>(half + token_layout.read + warp * 4);
    store_sum(place, sum);
  }
};

}  // namespace rankone
