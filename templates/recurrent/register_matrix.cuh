// SPDX-License-Identifier: MIT
// A block's part of the state: each thread holds four neighbouring value columns of some keys.
#pragma once

#include "kernels/sequence.cuh"
#include "kernels/states.cuh"
#include "recurrent/policy.cuh"
#include "recurrent/token.cuh"

namespace rankone {

// Four neighbouring value columns.
struct Columns {
  float value[thread_columns] = {};

  static RK_DEVICE Columns of(const float (&values)[thread_columns]) {
    Columns columns;
#pragma unroll
    for (int i = 0; i < thread_columns; ++i) columns.value[i] = values[i];
    return columns;
  }
};
RK_DEVICE float dot(const Columns& a, const Columns& b) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) sum = multiply_add(a.value[i], b.value[i], sum);
  return sum;
}
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
  int row_thread, first_column;  // among those that share the keys; of the tile
  float values[rows][thread_columns] = {};
  float lost[T::compensated ? rows : 1][thread_columns] = {};  // to rounding

  RK_DEVICE RegisterMatrix(const Arguments& from, const Work& of)
      : arguments(from), work(of), row_thread(thread_index() / layout.column_threads),
        first_column(thread_index() % layout.column_threads * thread_columns) {}

  RK_DEVICE bool has_row(int row) const { return layout.rows == T::key_dim || row < T::key_dim; }
  RK_DEVICE bool has_column(int column) const {
    if (T::has_normaliser && column >= T::value_columns) return false;
    return T::value_dim % T::value_columns == 0 || work.value_column + column < T::value_dim;
  }
  // Whether the thread's first column is that of ones.
  RK_DEVICE bool has_sum() const { return T::has_normaliser && first_column == T::value_columns; }
  // The key of the thread's i-th row.
  RK_DEVICE int key_of(int i) const {
    constexpr int group = layout.row_group;
    return (i / group * layout.row_threads + row_thread) * group + i % group;
  }
  // Calls visit(key, i) for the thread's keys.
  template <class Visit> RK_DEVICE void for_each_row(const Visit& visit) const {
#pragma unroll
    for (int i = 0; i < rows; ++i) visit(key_of(i), i);
  }

  // Where the formula of a full decay reads, at one element of the state.
  RK_DEVICE RecurrentAt<T> at_element(long long position, int half, int row, int column) const {
    RecurrentAt<T> at{arguments, work, position, row, work.value_column + column, {}};
    load_inputs(at, half, row, column);
    return at;
  }

  // Elements of the thread that stand side by side in the caller's states.
  static constexpr int neighbours = T::value_major_state ? layout.row_group : thread_columns;
  static constexpr bool has_vectors = neighbours > 1 &&
                                      (T::value_major_state ? T::key_dim : T::value_dim) % neighbours == 0;
  // Neighbours of the thread: the first one's place in a state, from the state's first element, and among the values.
  struct Piece {
    long long place;
    int row, column;
  };
  template <int count, class Visit> RK_DEVICE void for_each_piece(const Visit& visit) const {
    using Tensor = States<T, const void>;
#pragma unroll
    for (int n = 0; n < rows * thread_columns / count; ++n) {
      const int i = T::value_major_state ? n / thread_columns * count : n * count / thread_columns,
                j = T::value_major_state ? n % thread_columns : n * count % thread_columns;
      const int row = key_of(i), column = first_column + j;
      if (has_row(row) && has_column(column))
        visit(n, Piece{static_cast<long long>(row) * Tensor::key_step +
                           static_cast<long long>(work.value_column + column) * Tensor::column_step,
                       i, j});
    }
  }
  RK_DEVICE float& element_of(const Piece& piece, int i) {
    return T::value_major_state ? values[piece.row + i][piece.column] : values[piece.row][piece.column + i];
  }

  // The block's part of the state whose first element is `first`. `aligned`: its rows start at multiples of 16 bytes.
  template <class Tensor> RK_DEVICE void load(const Tensor& states, long long first, bool aligned) {
    if constexpr (has_vectors) {
      if (aligned) {
        // All are under way before the first one is waited for.
        Neighbours<typename Tensor::Type, neighbours> fetched[rows * thread_columns / neighbours];
        for_each_piece<neighbours>([&](int n, const Piece& piece) {
          fetched[n] = states.template load_neighbours<neighbours>(first + piece.place);
        });
        for_each_piece<neighbours>([&](int n, const Piece& piece) {
          float elements[neighbours];
          fetched[n].unpack(elements);
#pragma unroll
          for (int i = 0; i < neighbours; ++i) element_of(piece, i) = elements[i];
        });
        return;
      }
    }
    for_each_piece<1>([&](int, const Piece& piece) { element_of(piece, 0) = states.load(first + piece.place); });
  }
  template <class Tensor> RK_DEVICE void store(const Tensor& states, long long first, bool aligned) {
    if constexpr (has_vectors) {
      if (aligned) {
        for_each_piece<neighbours>([&](int, const Piece& piece) {
          float elements[neighbours];
#pragma unroll
          for (int i = 0; i < neighbours; ++i) elements[i] = element_of(piece, i);
          states.template store_neighbours<neighbours>(first + piece.place, elements);
        });
        return;
      }
    }
    for_each_piece<1>([&](int, const Piece& piece) { states.store(first + piece.place, element_of(piece, 0)); });
  }

  // The column of ones, key by key.
  RK_DEVICE void load_sum(Global<const float> from) {
    if (!has_sum()) return;
    for_each_row([&](int row, int i) {
      if (has_row(row)) values[i][0] = global_load<float>(from + row);
    });
  }
  RK_DEVICE void store_sum(Global<float> to) const {
    if (!has_sum()) return;
    for_each_row([&](int row, int i) {
      if (has_row(row)) global_store<float>(to + row, values[i][0]);
    });
  }

  // Keeps the values in shared memory, where no other thread looks, or takes them back.
  RK_DEVICE void keep(int place) const {
    for_each_row([&](int, int i) { store_columns(own_place(place, i), Columns::of(values[i])); });
  }
  RK_DEVICE void take(int place) {
    for_each_row([&](int, int i) {
      const Columns kept = load_columns(own_place(place, i));
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        values[i][j] = kept.value[j];
        if constexpr (T::compensated) lost[i][j] = 0.0f;
      }
    });
  }

  // values *= the token's decays.
  RK_DEVICE void decay(long long position, int half) {
    if constexpr (T::decay_axes == 0) return;
    Columns high, low;
    if constexpr (T::columns_decay) {
      high = load_columns(half + layout.value_decay + first_column * 4);
      low = load_columns(half + layout.value_decay_low + first_column * 4);
    }
    for_each_row([&](int row, int i) {
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
    for_each_row([&](int row, int i) {
      if (!has_row(row)) return;
      const float key = shared_load<float>(place + row * 4);
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) sums.value[j] = multiply_add(key, values[i][j], sums.value[j]);
    });
    return sums;
  }
  // Stores the sum of each row over the tile, of which term(i) is the thread's part of its row i.
  template <class Term> RK_DEVICE void store_row_sums(int place, const Term& term) const {
    for_each_row([&](int row, int i) {
      float sum = term(i);
#pragma unroll
      for (int lanes = 1; lanes < layout.column_threads; lanes *= 2) sum += shuffle_xor(sum, lanes);
      if (first_column == 0 && has_row(row)) shared_store<float>(place + row * 4, sum);
    });
  }
  // The product of rows with `columns`.
  RK_DEVICE void store_products(int place, const Columns& columns) const {
    store_row_sums(place, [&](int i) { return dot(Columns::of(values[i]), columns); });
  }
  // The thread's part of a row's sum.
  RK_DEVICE float sum_row(int place) const {
    float sum = 0.0f;
    for_each_row([&](int row, int) {
      if (has_row(row)) sum += shared_load<float>(place + row * 4);
    });
    return sum;
  }
  // values += sign * keys^T columns
  RK_DEVICE void add(int place, const Columns& columns, float sign) {
    for_each_row([&](int row, int i) {
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
      for_each_row([&](int, int i) {
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
  static RK_DEVICE int own_place(int place, int i) {
    return place + (i * layout.threads + thread_index()) * (thread_columns * 4);
  }
  RK_DEVICE Unrounded decay_of(long long position, int half, int row, int column) const {
    if (work.value_column + column >= T::value_dim) return {1.0f, 0.0f};
    return unrounded_exp2(log2_decay(Gate::log_decay(at_element(position, half, row, column))));
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
