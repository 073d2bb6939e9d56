// SPDX-License-Identifier: MIT
// Of the recurrent family's backward pass: the slopes of a state go back over a token, and what its rows and columns gain is
// summed up.
#pragma once

#include "recurrent/formula_slopes.cuh"

namespace rankone {

template <class T, class Gate> struct StateSlopes : FormulaSlopes<T, Gate> {
  using Formulas = FormulaSlopes<T, Gate>;
  using Formulas::work, Formulas::state, Formulas::slopes, Formulas::layout, Formulas::token_layout, Formulas::rows,
      Formulas::half, Formulas::of_head, Formulas::element_parameters, Formulas::tile_bytes;
  using RowSums = typename Formulas::Matrix::RowSums;

  RK_DEVICE StateSlopes(const Arguments& from, const Work& of) : Formulas(from, of) {}

 protected:
  static constexpr int in_registers = -1;  // no place: where the state behind a span's last token is

  // The slopes of the state behind a token become those of the state before it; on the way what the token's rows and columns
  // gain is summed up. `before` and `behind`: where these states are kept. Returns the slope of the weight with which a bonus
  // adds the token's own value.
  RK_DEVICE float pass_token(long long index, int place, int before, int behind) {
    const int first_column = state.first_column * 4;
    const long long position = position_of_step<T>(work, index);
    const bool is_read = rankone::is_read<T>(index), decays = decays_before<T>(index);
    Columns read = load_columns(layout.read_slope + first_column);
    const Columns value = load_columns(half + token_layout.value + first_column);
    if constexpr (T::has_normaliser) {
      if (state.has_sum()) read.value[0] = Formulas::slope_of_normaliser();
    }
    if constexpr (!T::reads_before) {
      if (is_read) {
        if (behind != in_registers) state.take(behind);
        state.store_products(layout.query_slope, read);
        slopes.add(half + token_layout.query, read, 1.0f);
        slopes.settle();
      }
    }
    slopes.store_products(layout.key_slope, T::erases_as_it_writes ? difference(value, erased_at(place)) : value);
    Columns written = slopes.project(half + token_layout.key);
    Columns erased;
    if constexpr (T::has_erase_scale) erased = slope_of_erased(place, written);
    float own = 0.0f;
    if constexpr (T::has_bonus) {
      own = own_read();
      const float weight = state.sum_row(half + token_layout.bonus);
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) written.value[j] = multiply_add(weight, read.value[j], written.value[j]);
    }
    RowSums erased_keys;
    if constexpr (T::has_value_erase_scale) erased_keys = slope_of_erased_keys(place);

    state.take(before);
    if constexpr (T::reads_before)
      if (is_read) state.store_products(layout.query_slope, read);
    if constexpr (T::has_erase_scale && T::erases_undecayed) state.store_products(layout.erase_read_slope, erased);
    if constexpr (T::has_value_erase_scale && T::erases_undecayed) store_read_by_value(erased_keys);
    if constexpr (T::has_lagged_scale && (T::differentiates_decay || T::differentiates_phase)) write_again(state, half);
    if constexpr (T::differentiates_decay || T::differentiates_phase ||
                  ((T::has_erase_scale || T::has_value_erase_scale) && !T::erases_undecayed))
      if (decays) state.decay(position, half);
    if constexpr (T::has_phase && (T::differentiates_decay || T::differentiates_phase))
      if (decays) state.turn(half, 1.0f);
    if constexpr (T::has_erase_scale && !T::erases_undecayed) {
      state.store_products(layout.erase_read_slope, erased);
      slopes.add(half + token_layout.erase_read, erased, 1.0f);
      slopes.settle();
    }
    if constexpr (T::has_value_erase_scale && !T::erases_undecayed) {
      store_read_by_value(erased_keys);
      add_read_by_value(erased_keys);
      slopes.settle();
    }
    if constexpr (T::differentiates_decay)
      if (decays) store_decay_slopes(position);
    if constexpr (T::differentiates_phase)
      if (decays) store_phase_slopes();
    if constexpr (T::has_phase)
      if (decays) slopes.turn(half, -1.0f);
    if (decays) slopes.decay(position, half);
    if constexpr (T::has_lagged_scale) pass_lagged_write();
    if constexpr (T::has_erase_scale && T::erases_undecayed) slopes.add(half + token_layout.erase_read, erased, 1.0f);
    if constexpr (T::has_value_erase_scale && T::erases_undecayed) add_read_by_value(erased_keys);
    if constexpr (T::reads_before)
      if (is_read) slopes.add(half + token_layout.query, read, 1.0f);
    slopes.settle();
    store_column_sums<T>(layout.value_slope, written, state.first_column);
    return own;
  }
  // To the key and value of the token before, whose write has decayed with the state.
  RK_DEVICE void pass_lagged_write() {
    slopes.settle();
    slopes.store_products(layout.lagged_key_slope,
                          load_columns(half + token_layout.lagged_value + state.first_column * 4));
    store_column_sums<T>(layout.lagged_value_slope, slopes.project(half + token_layout.lagged_key), state.first_column);
  }
  // Of the token's own value.
  RK_DEVICE float own_read() const {
    float sum = 0.0f;
    for (int column = lane_index(); column < T::value_tile; column += warp_size)
      sum = multiply_add(shared_load<float>(half + token_layout.value + column * 4),
                         shared_load<float>(layout.read_slope + column * 4), sum);
    sum = sum_over_warp(sum);
    if constexpr (T::has_normaliser) sum += Formulas::slope_of_normaliser();  // of the column of ones
    return sum;
  }
  // What has been erased of the thread's columns.
  RK_DEVICE Columns erased_at(int place) const {
    return load_columns(layout.erased + place * tile_bytes + state.first_column * 4);
  }
  // `written`: the slopes of the thread's columns by the row of keys that is written.
  RK_DEVICE Columns slope_of_erased(int place, Columns written) {
    if constexpr (!T::erases_as_it_writes) {
      const Columns erased = erased_at(place);
      slopes.store_row_sums(layout.erase_write_slope,
                            [&](int i) { return -dot(Columns::of(slopes.values[i]), erased); });
      written = slopes.project(half + token_layout.erase_write);
    }
    return difference({}, sums_over_keys<T>(layout.erased_slope, written, state.first_column));
  }

  // Likewise of what a value has read of all keys.
  RK_DEVICE RowSums slope_of_erased_keys(int place) {
    const RowSums erased = slopes.load_rows(Formulas::erased_keys_of(place));
    Columns written = slopes.project(erased);
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) written.value[j] = -written.value[j];
    store_column_sums<T>(layout.value_erase_write_slope, written, slopes.first_column);
    RowSums slope = slopes.multiply_columns(
        layout.erased_key_slope, load_columns(half + token_layout.value_erase_write + slopes.first_column * 4));
#pragma unroll
    for (int i = 0; i < rows; ++i) slope.value[i] = -slope.value[i];
    return slope;
  }
  RK_DEVICE void store_read_by_value(const RowSums& erased) const {
    store_column_sums<T>(layout.value_erase_read_slope, state.project(erased), state.first_column);
  }
  RK_DEVICE void add_read_by_value(const RowSums& erased) {
    slopes.add(erased, load_columns(half + token_layout.value_erase_read + slopes.first_column * 4), 1.0f);
  }

  // Of phases: by an angle the real part loses what the imaginary part is, and that gains what the real part is.
  RK_DEVICE void store_phase_slopes() const {
    state.store_row_sums(layout.phase_slope, [&](int i) {
      return dot(Columns::of(state.values[i]), Columns::of(slopes.imaginary[i])) -
             dot(Columns::of(state.imaginary[i]), Columns::of(slopes.values[i]));
    });
  }
  // The product of an element of the decayed state and its slope.
  RK_DEVICE float decay_product(int i, int j) const {
    float product = state.values[i][j] * slopes.values[i][j];
    if constexpr (T::has_phase) product = multiply_add(state.imaginary[i][j], slopes.imaginary[i][j], product);
    return product;
  }
  RK_DEVICE float decay_products(int i) const {
    float sum = dot(Columns::of(state.values[i]), Columns::of(slopes.values[i]));
    if constexpr (T::has_phase) sum += dot(Columns::of(state.imaginary[i]), Columns::of(slopes.imaginary[i]));
    return sum;
  }
  // Of log-decays: each element's is the product of the decayed state and its slope.
  RK_DEVICE void store_decay_slopes(long long position) {
    if constexpr (T::decays_by_element) return store_element_slopes(position);
    if constexpr (T::rows_decay) state.store_row_sums(layout.decay_slope, [&](int i) { return decay_products(i); });
    if constexpr (T::columns_decay) {
      Columns sums;
      state.for_each_row([&](int, int i) {
#pragma unroll
        for (int j = 0; j < thread_columns; ++j) sums.value[j] += decay_product(i, j);
      });
      store_column_sums<T>(layout.value_decay_slope, sums, state.first_column);
    }
  }
  // Of a full decay: of what its formula reads at each element.
  RK_DEVICE void store_element_slopes(long long position) {
    ElementSlopes sums;
    ElementInputs<T, rows> inputs;
    load_inputs<T>(state, half, inputs);
    state.for_each_row([&](int row, int i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        if (!state.has_row(row) || !state.has_column(state.first_column + j)) continue;
        const ElementAt<T> at = state.at_element(position, inputs, i, j);
        LeafSlopes<T> into;
        Gate::log_decay_backward(at, decay_product(i, j), into);
        add_element_inputs(into, i, j, sums);
        add_element_parameters(into, i, j);
      }
    });
    store_element_inputs(sums);
  }
  // Of inputs: the thread's part of its rows and columns.
  struct ElementSlopes {
    float of_rows[T::inputs][rows] = {};
    Columns of_columns[T::inputs];
  };
  template <int index = 0>
  RK_DEVICE void add_element_inputs(const LeafSlopes<T>& into, int i, int j, ElementSlopes& sums) {
    if constexpr (index < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[index]);
      if constexpr (axes.keys)
        sums.of_rows[index][i] += into.inputs[index];
      else if constexpr (axes.values)
        sums.of_columns[index].value[j] += into.inputs[index];
      else
        of_head[index] += into.inputs[index];
      add_element_inputs<index + 1>(into, i, j, sums);
    }
  }
  template <int index = 0> RK_DEVICE void add_element_parameters(const LeafSlopes<T>& into, int i, int j) {
    if constexpr (index < T::parameter_count) {
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      element_parameters[index][axes.keys ? i : 0][axes.values ? j : 0].add(into.parameters[index]);
      add_element_parameters<index + 1>(into, i, j);
    }
  }
  template <int index = 0> RK_DEVICE void store_element_inputs(const ElementSlopes& sums) {
    if constexpr (index < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[index]);
      if constexpr (axes.keys)
        state.store_row_sums(Formulas::key_input_place(index), [&](int i) { return sums.of_rows[index][i]; });
      if constexpr (axes.values)
        store_column_sums<T>(Formulas::value_input_place(index), sums.of_columns[index], state.first_column);
      store_element_inputs<index + 1>(sums);
    }
  }
};

}  // namespace rankone
