// SPDX-License-Identifier: MIT
// What the formula of a full decay reads at a thread's elements of the state. Parameters stay in registers, and a token's
// inputs are loaded once for all elements of a row or column: what depends on one of them alone is computed once.
#pragma once

#include "device/shared.cuh"
#include "kernels/parameter.cuh"
#include "recurrent/token.cuh"

namespace rankone {

template <class T> struct ElementAt : RecurrentAt<T> {
  float parameters[T::parameters];
  template <int index> RK_DEVICE float parameter() const { return parameters[index]; }
};

// A number for each row, each column, or each element; where it has no such axis it stands with the first one.
template <int count, int rows> struct ElementNumbers {
  float value[count][rows][thread_columns] = {};
};
RK_CONSTEXPR int row_slots(unsigned axes, int rows) { return has_axis(axes, key_axis) ? rows : 1; }
RK_CONSTEXPR int column_slots(unsigned axes) { return has_axis(axes, value_axis) ? thread_columns : 1; }

template <class T, int rows> using ElementParameters = ElementNumbers<T::parameters, rows>;
template <class T, int rows> using ElementInputs = ElementNumbers<T::inputs, rows>;

template <class T, int index = 0, class Matrix, class Numbers>
RK_DEVICE void load_parameters(const Matrix& matrix, Numbers& numbers) {
  if constexpr (T::decays_by_element && index < T::parameter_count) {
    constexpr unsigned axes = T::parameter_axes[index];
    const Work& work = matrix.work;
#pragma unroll
    for (int i = 0; i < row_slots(axes, Matrix::rows); ++i)
#pragma unroll
      for (int j = 0; j < column_slots(axes); ++j) {
        const int row = matrix.key_of(i), column = matrix.first_column + j;
        if (!matrix.has_row(row) || !matrix.has_column(column)) continue;
        numbers.value[index][i][j] =
            load_parameter<T, index>(matrix.arguments, {work.query_head, work.head, row, work.value_column + column});
      }
    load_parameters<T, index + 1>(matrix, numbers);
  }
}
template <class T, int index = 0, class Matrix, class Numbers>
RK_DEVICE void load_inputs(const Matrix& matrix, int half, Numbers& numbers) {
  if constexpr (index < T::input_count) {
    constexpr RecurrentLayout layout = T::layout;
    if constexpr (has_axis(T::input_axes[index], value_axis)) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        const int column = matrix.first_column + j;
        if (!matrix.has_column(column)) continue;
        numbers.value[index][0][j] =
            shared_load<float>(half + layout.value_inputs + (index * T::value_tile + column) * 4);
      }
    } else {
      matrix.for_each_row([&](int row, int i) {
        if (!matrix.has_row(row)) return;
        numbers.value[index][i][0] = shared_load<float>(half + layout.key_inputs + (index * layout.rows + row) * 4);
      });
    }
    load_inputs<T, index + 1>(matrix, half, numbers);
  }
}
template <class T, int index = 0, class Numbers>
RK_DEVICE void place_parameters(ElementAt<T>& at, const Numbers& numbers, int i, int j) {
  if constexpr (index < T::parameter_count) {
    constexpr unsigned axes = T::parameter_axes[index];
    at.parameters[index] = numbers.value[index][has_axis(axes, key_axis) ? i : 0][has_axis(axes, value_axis) ? j : 0];
    place_parameters<T, index + 1>(at, numbers, i, j);
  }
}
template <class T, int index = 0, class Numbers>
RK_DEVICE void place_inputs(ElementAt<T>& at, const Numbers& numbers, int i, int j) {
  if constexpr (index < T::input_count) {
    constexpr bool by_column = has_axis(T::input_axes[index], value_axis);
    at.inputs[index] = numbers.value[index][by_column ? 0 : i][by_column ? j : 0];
    place_inputs<T, index + 1>(at, numbers, i, j);
  }
}

}  // namespace rankone
