// SPDX-License-Identifier: MIT
// A block's part of the state: each thread holds four neighbouring value columns of every `row_threads`-th key.
#pragma once

#include "kernels/sequence.cuh"
#include "kernels/states.cuh"
#include "recurrent/policy.cuh"
#include "recurrent/token.cuh"

namespace rankone {

// Four neighbouring value columns.
struct Columns {
  float value[thread_columns] = {};
};
RK_DEVICE Columns load_columns(int place) {
  const Vector16 four = shared_load<Vector16>(place);
  Columns columns;
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) columns.value[i] = as_float(four.word[i]);
  return columns;
}
RK_DEVICE void store_columns(int place, const Columns& columns) {
  Vector16 four;
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) four.word[i] = as_bits(columns.value[i]);
  shared_store<Vector16>(place, four);
}

template <class T, class Gate> struct RegisterMatrix {
  static constexpr RecurrentLayout layout = T::layout;
  static constexpr int rows = layout.thread_rows;
  const Arguments& arguments;
  const Work& work;
  int first_row, first_column;  // of the thread; the column in the tile
  float values[rows][thread_columns] = {};
  float lost[T::compensated ? rows : 1][thread_columns] = {};  // to rounding

  RK_DEVICE RegisterMatrix(const Arguments& from, const Work& of)
      : arguments(from), work(of), first_row(thread_index() / layout.column_threads),
        first_column(thread_index() % layout.column_threads * thread_columns) {}

  RK_DEVICE bool has_row(int row) const { return layout.rows == T::key_dim || row < T::key_dim; }
  // Calls visit(key, i) for the thread's keys.
  template <class Visit> static RK_DEVICE void for_each_row(int first, const Visit& visit) {
#pragma unroll
    for (int i = 0; i < rows; ++i) visit(first + i * layout.row_threads, i);
  }

  // Calls visit(element of a state in the tensor, key's index, column's index) for those that there are.
  template <class Tensor, class Visit> RK_DEVICE void for_each_element(const Tensor& states, const Visit& visit) const {
    const long long first = states.first(work.sequence, work.head);
    for_each_row(first_row, [&](int row, int i) {
      if (!has_row(row)) return;
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        const int column = work.value_column + first_column + j;
        if (column < T::value_dim)
          visit(first + static_cast<long long>(row) * Tensor::key_step +
                    static_cast<long long>(column) * Tensor::column_step,
                i, j);
      }
    });
  }
  RK_DEVICE void load_initial() {
    const States<T, const void> states{port<T>(arguments, T::Ports::initial_state).data, arguments.value_heads};
    if (states.exists(work.sequence))
      for_each_element(states, [&](long long element, int i, int j) { values[i][j] = states.load(element); });
  }
  RK_DEVICE void store_final() const {
    const States<T, void> states{port<T>(arguments, T::Ports::final_state).data, arguments.value_heads};
    if (states.exists(work.sequence))
      for_each_element(states, [&](long long element, int i, int j) { states.store(element, values[i][j]); });
  }

  // values *= the token's decays.
  RK_DEVICE void decay(long long position, int half) {
    if constexpr (T::decay_axes == 0) return;
    Columns high, low;
    if constexpr (T::columns_decay) {
      high = load_columns(half + layout.value_decay + first_column * 4);
      low = load_columns(half + layout.value_decay_low + first_column * 4);
    }
    for_each_row(first_row, [&](int row, int i) {
      if (!has_row(row)) return;
      Unrounded of_row{};
      if constexpr (T::rows_decay)
        of_row = {shared_load<float>(half + layout.decay + row * 4),
                  shared_load<float>(half + layout.decay_low + row * 4)};
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        if constexpr (T::decays_by_element) multiply(i, j, decay_of(position, half, row, first_column + j));
        if constexpr (T::rows_decay) multiply(i, j, of_row);
        if constexpr (T::columns_decay) multiply(i, j, {high.value[j], low.value[j]});
      }
    });
  }
  // What each of the thread's columns has of the row of keys at `place`, over the thread's own.
  RK_DEVICE Columns project(int place) const {
    Columns sums;
    for_each_row(first_row, [&](int row, int i) {
      if (!has_row(row)) return;
      const float key = shared_load<float>(place + row * 4);
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) sums.value[j] = multiply_add(key, values[i][j], sums.value[j]);
    });
    return sums;
  }
  // The thread's part of a row's sum.
  RK_DEVICE float sum_row(int place) const {
    float sum = 0.0f;
    for_each_row(first_row, [&](int row, int) {
      if (has_row(row)) sum += shared_load<float>(place + row * 4);
    });
    return sum;
  }
  // values += sign * keys^T columns
  RK_DEVICE void add(int place, const Columns& columns, float sign) {
    for_each_row(first_row, [&](int row, int i) {
      if (!has_row(row)) return;
      const float key = sign * shared_load<float>(place + row * 4);
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        float& sum = T::compensated ? lost[T::compensated ? i : 0][j] : values[i][j];
        sum = multiply_add(key, columns.value[j], sum);
      }
    });
  }
  // What was lost so far goes where it still shows.
  RK_DEVICE void settle() {
    if constexpr (T::compensated) {
      for_each_row(0, [&](int, int i) {
#pragma unroll
        for (int j = 0; j < thread_columns; ++j) {
          const float sum = values[i][j] + lost[i][j];
          lost[i][j] -= sum - values[i][j];
          values[i][j] = sum;
        }
      });
    }
  }

 private:
  RK_DEVICE void multiply(int i, int j, Unrounded factor) {
    float& value = values[i][j];
    const float product = value * factor.high;
    if constexpr (T::compensated) {
      float& rest = lost[i][j];
      rest =
          multiply_add(value, factor.low, multiply_add(rest, factor.high, multiply_add(value, factor.high, -product)));
      value = product;
    } else {
      value = multiply_add(value, factor.low, product);
    }
  }
  // Of one element of the state.
  RK_DEVICE Unrounded decay_of(long long position, int half, int row, int column) const {
    if (work.value_column + column >= T::value_dim) return {1.0f, 0.0f};
    RecurrentAt<T> at{arguments, work, position, row, work.value_column + column, {}};
    load_inputs(at, half, row, column);
    return unrounded_exp2(log2_decay(Gate::log_decay(at)));
  }
  template <int index = 0> static RK_DEVICE void load_inputs(RecurrentAt<T>& at, int half, int row, int column) {
    if constexpr (index < T::input_count) {
      const int place = has_axis(T::input_axes[index], value_axis)
                            ? layout.value_inputs + (index * T::value_tile + column) * 4
                            : layout.key_inputs + (index * layout.rows + row) * 4;
      at.inputs[index] = shared_load<float>(half + place);
      load_inputs<index + 1>(at, half, row, column);
    }
  }
};

// Sums over the rows of a warp go to the warp's place, from where they are read once all warps have met.
template <class T> RK_DEVICE void store_warp_sums(int place, Columns sums, int first_column) {
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) {
#pragma unroll
    for (int lanes = T::layout.column_threads; lanes < warp_size; lanes *= 2)
      sums.value[i] += shuffle_xor(sums.value[i], lanes);
  }
  if (lane_index() < T::layout.column_threads)
    store_columns(place + (warp_index() * T::value_tile + first_column) * 4, sums);
}
template <class T> RK_DEVICE Columns load_warp_sums(int place, int first_column) {
  Columns sums;
  for (int warp = 0; warp < T::warps; ++warp) {
    const Columns more = load_columns(place + (warp * T::value_tile + first_column) * 4);
#pragma unroll
    for (int i = 0; i < thread_columns; ++i) sums.value[i] += more.value[i];
  }
  return sums;
}
template <class T> RK_DEVICE float load_warp_sum(int place, int column) {
  float sum = 0.0f;
  for (int warp = 0; warp < T::warps; ++warp) sum += shared_load<float>(place + (warp * T::value_tile + column) * 4);
  return sum;
}

}  // namespace rankone
