// SPDX-License-Identifier: MIT
// A block's part of the state: each thread holds four neighbouring value columns of some keys.
#pragma once

#include "kernels/sequence.cuh"
#include "kernels/states.cuh"
#include "recurrent/elements.cuh"
#include "recurrent/factor.cuh"
#include "recurrent/policy.cuh"

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
RK_DEVICE Columns difference(const Columns& a, const Columns& b) {
  Columns columns;
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) columns.value[i] = a.value[i] - b.value[i];
  return columns;
}
RK_DEVICE float dot(const Columns& a, const Columns& b) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) sum = multiply_add(a.value[i], b.value[i], sum);
  return sum;
}
RK_DEVICE Columns unpack(const Vector16& four) {
  Columns columns;
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) columns.value[i] = as_float(four.word[i]);
  return columns;
}
RK_DEVICE Vector16 pack(const Columns& columns) {
  Vector16 four;
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) four.word[i] = as_bits(columns.value[i]);
  return four;
}
RK_DEVICE Columns load_columns(int place) { return unpack(shared_load<Vector16>(place)); }
RK_DEVICE void store_columns(int place, const Columns& columns) { shared_store<Vector16>(place, pack(columns)); }

// Of some neighbouring keys a number each.
template <int count> struct Numbers {
  float value[count];

  static RK_DEVICE Numbers load(int place) {
    Numbers numbers;
    if constexpr (count == 4) {
      const Vector16 four = shared_load<Vector16>(place);
#pragma unroll
      for (int i = 0; i < count; ++i) numbers.value[i] = as_float(four.word[i]);
    } else {
#pragma unroll
      for (int i = 0; i < count; ++i) numbers.value[i] = shared_load<float>(place + i * 4);
    }
    return numbers;
  }
  RK_DEVICE void store(int place) const {
    if constexpr (count == 4) {
      Vector16 four;
#pragma unroll
      for (int i = 0; i < count; ++i) four.word[i] = as_bits(value[i]);
      shared_store<Vector16>(place, four);
    } else {
#pragma unroll
      for (int i = 0; i < count; ++i) shared_store<float>(place + i * 4, value[i]);
    }
  }
};

// The warp's number among those that have other columns, and among those that have the same.
template <class T> RK_DEVICE int column_warp() { return warp_index() % T::layout.column_warps; }
template <class T> RK_DEVICE int key_warp() { return warp_index() / T::layout.column_warps; }
// Of a row of what RegisterMatrix::store_row_sums() has stored.
template <class T> RK_DEVICE float load_row_sum(int place, int row) {
  float sum = 0.0f;
#pragma unroll
  for (int warp = 0; warp < T::layout.column_warps; ++warp)
    sum += shared_load<float>(place + (warp * T::layout.rows + row) * 4);
  return sum;
}
// A warp's value columns.
template <class T> inline constexpr int warp_columns = T::layout.column_threads* thread_columns;

// Of a complex state each thread has both parts of its elements.
enum class Plane : unsigned char { real, imaginary };

template <class T, class Gate> struct RegisterMatrix {
  static constexpr RecurrentLayout layout = T::layout;
  static constexpr int rows = layout.thread_rows, planes = T::has_phase ? 2 : 1;
  struct RowSums {  // a number for each of the thread's keys
    float value[rows];
  };
  const Arguments& arguments;
  const Work& work;
  int row_thread, first_column;  // among those that share keys; of the tile
  float values[rows][thread_columns] = {};
  float lost[T::compensated ? rows : 1][thread_columns] = {};  // to rounding
  float imaginary[T::has_phase ? rows : 1][thread_columns] = {};
  float imaginary_lost[T::has_phase && T::compensated ? rows : 1][thread_columns] = {};
  ElementParameters<T, T::decays_by_element ? rows : 1> parameters;

  RK_DEVICE RegisterMatrix(const Arguments& from, const Work& of)
      : arguments(from), work(of), row_thread((key_warp<T>() * warp_size + lane_index()) / layout.column_threads),
        first_column(column_warp<T>() * warp_columns<T> + lane_index() % layout.column_threads * thread_columns) {
    load_parameters<T>(*this, parameters);
  }

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

  // Calls visit(i, numbers) with what each of the `places` has for the key of the thread's i-th row, where that is one.
  template <class Visit, class... Place> RK_DEVICE void for_each_number(const Visit& visit, Place... places) const {
    constexpr int group = layout.rows == T::key_dim ? layout.row_group : 1;
#pragma unroll
    for (int first = 0; first < rows; first += group) {
      const int row = key_of(first);
      if (!has_row(row)) continue;
      visit_group<group>(first, visit, Numbers<group>::load(places + row * 4)...);
    }
  }

  // Where the formula of a full decay reads, at the thread's element in row i and column j.
  RK_DEVICE ElementAt<T> at_element(long long position, const ElementInputs<T, rows>& inputs, int i, int j) const {
    ElementAt<T> at{{arguments, work, position, key_of(i), work.value_column + first_column + j, {}}, {}};
    place_parameters(at, parameters, i, j);
    place_inputs(at, inputs, i, j);
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
  template <Plane plane> RK_DEVICE float& element_of(const Piece& piece, int i) {
    const int row = piece.row + (T::value_major_state ? i : 0), column = piece.column + (T::value_major_state ? 0 : i);
    if constexpr (plane == Plane::imaginary)
      return imaginary[row][column];
    else
      return values[row][column];
  }

  // The block's part of the state whose first element is `first`. `aligned`: its rows start at multiples of 16 bytes.
  template <Plane plane = Plane::real, class Tensor>
  RK_DEVICE void load(const Tensor& states, long long first, bool aligned) {
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
          for (int i = 0; i < neighbours; ++i) element_of<plane>(piece, i) = elements[i];
        });
        return;
      }
    }
    for_each_piece<1>([&](int, const Piece& piece) { element_of<plane>(piece, 0) = states.load(first + piece.place); });
  }
  template <Plane plane = Plane::real, class Tensor>
  RK_DEVICE void store(const Tensor& states, long long first, bool aligned) {
    if constexpr (has_vectors) {
      if (aligned) {
        for_each_piece<neighbours>([&](int, const Piece& piece) {
          float elements[neighbours];
#pragma unroll
          for (int i = 0; i < neighbours; ++i) elements[i] = element_of<plane>(piece, i);
          states.template store_neighbours<neighbours>(first + piece.place, elements);
        });
        return;
      }
    }
    for_each_piece<1>([&](int, const Piece& piece) { states.store(first + piece.place, element_of<plane>(piece, 0)); });
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

  // Keeps the values as the `number`-th of a walk back, where no other thread looks, or takes them back.
  RK_DEVICE void keep(int number) const {
    if (number < T::backward.states_in_memory) {
      const Global<Vector16> to = kept_in_memory(number);
      for_each_row([&](int, int i) {
        global_store<Vector16>(to + i * T::threads, pack(Columns::of(values[i])));
        if constexpr (T::has_phase) global_store<Vector16>(to + (rows + i) * T::threads, pack(Columns::of(imaginary[i])));
      });
    } else {
      const int to = kept_in_block(number);
      for_each_row([&](int, int i) {
        store_columns(to + i * row_bytes, Columns::of(values[i]));
        if constexpr (T::has_phase) store_columns(to + (rows + i) * row_bytes, Columns::of(imaginary[i]));
      });
    }
  }
  RK_DEVICE void take(int number) {
    if (number < T::backward.states_in_memory) {
      const Global<Vector16> from = kept_in_memory(number);
      for_each_row([&](int, int i) {
        set(values[i], lost[T::compensated ? i : 0], unpack(global_load<Vector16>(from + i * T::threads)));
        if constexpr (T::has_phase)
          set(imaginary[i], imaginary_lost[T::compensated ? i : 0],
              unpack(global_load<Vector16>(from + (rows + i) * T::threads)));
      });
    } else {
      const int from = kept_in_block(number);
      for_each_row([&](int, int i) {
        set(values[i], lost[T::compensated ? i : 0], load_columns(from + i * row_bytes));
        if constexpr (T::has_phase)
          set(imaginary[i], imaginary_lost[T::compensated ? i : 0], load_columns(from + (rows + i) * row_bytes));
      });
    }
  }

  // values *= the token's decays.
  RK_DEVICE void decay(long long position, int half) {
    if constexpr (T::decay_axes == 0 && !T::rows_decay) return;
    Columns high, low;
    if constexpr (T::columns_decay) {
      high = load_columns(half + layout.value_decay + first_column * 4);
      if constexpr (T::compensated) low = load_columns(half + layout.value_decay_low + first_column * 4);
    }
    if constexpr (T::rows_decay) {
      const auto visit = [&](int i, const Unrounded& of_row) {
#pragma unroll
        for (int j = 0; j < thread_columns; ++j) multiply(i, j, of_row);
      };
      if constexpr (T::compensated)
        for_each_number(
            [&](int i, float of_row, float rest) {
              visit(i, {of_row, rest});
            },
            half + layout.decay, half + layout.decay_low);
      else
        for_each_number([&](int i, float of_row) { visit(i, {of_row, 0.0f}); }, half + layout.decay);
    }
    if constexpr (T::columns_decay) {
      for_each_row([&](int, int i) {
#pragma unroll
        for (int j = 0; j < thread_columns; ++j) multiply(i, j, {high.value[j], low.value[j]});
      });
    }
    if constexpr (T::decays_by_element) decay_elements(position, half);
  }
  // Both parts turn by the token's phase, or (-1) back.
  RK_DEVICE void turn(int half, float direction) {
    const auto visit = [&](int i, const Turn& by) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j)
        rankone::turn<T::compensated>(by, {values[i][j], lost[T::compensated ? i : 0][j]},
                                      {imaginary[i][j], imaginary_lost[T::compensated ? i : 0][j]});
    };
    if constexpr (T::compensated)
      for_each_number(
          [&](int i, float cosine, float cosine_low, float sine, float sine_low) {
            visit(i, {{cosine, cosine_low}, {direction * sine, direction * sine_low}});
          },
          half + layout.cosine, half + layout.cosine_low, half + layout.sine, half + layout.sine_low);
    else
      for_each_number(
          [&](int i, float cosine, float sine) {
            visit(i, {{cosine, 0.0f}, {direction * sine, 0.0f}});
          },
          half + layout.cosine, half + layout.sine);
  }
  // What each of the thread's columns has of the row of keys at `place`, over the thread's own.
  RK_DEVICE Columns project(int place) const {
    Columns sums;
    for_each_number(
        [&](int i, float key) {
#pragma unroll
          for (int j = 0; j < thread_columns; ++j) sums.value[j] = multiply_add(key, values[i][j], sums.value[j]);
        },
        place);
    return sums;
  }
  // Stores the sum of each row over the warp's columns, of which term(i) is the thread's part of its row i: load_row_sum()
  // adds up what all warps have.
  template <class Term> RK_DEVICE void store_row_sums(int place, const Term& term) const {
    constexpr int group = layout.row_group;
    const int of_warp = place + column_warp<T>() * (layout.rows * 4);
#pragma unroll
    for (int first = 0; first < rows; first += group) {
      Numbers<group> sums;
#pragma unroll
      for (int i = 0; i < group; ++i) {
        sums.value[i] = term(first + i);
#pragma unroll
        for (int lanes = 1; lanes < layout.column_threads; lanes *= 2)
          sums.value[i] += shuffle_xor(sums.value[i], lanes);
      }
      if (lane_index() % layout.column_threads == 0) sums.store(of_warp + key_of(first) * 4);
    }
  }
  // The product of rows with `columns`, over all of a block's columns; warps that have others meet at `place`.
  RK_DEVICE RowSums multiply_columns(int place, const Columns& columns) const {
    RowSums sums;
    if constexpr (layout.column_warps == 1) {
#pragma unroll
      for (int i = 0; i < rows; ++i) {
        sums.value[i] = dot(Columns::of(values[i]), columns);
#pragma unroll
        for (int lanes = 1; lanes < layout.column_threads; lanes *= 2)
          sums.value[i] += shuffle_xor(sums.value[i], lanes);
      }
    } else {
      store_products(place, columns);
      sync_block();  // what all columns have
      for_each_row([&](int row, int i) { sums.value[i] = load_row_sum<T>(place, row); });
    }
    return sums;
  }
  // The product of rows with `columns`.
  RK_DEVICE void store_products(int place, const Columns& columns) const {
    store_row_sums(place, [&](int i) { return dot(Columns::of(values[i]), columns); });
  }
  // The thread's part of a row's sum.
  RK_DEVICE float sum_row(int place) const {
    float sum = 0.0f;
    for_each_number([&](int, float number) { sum += number; }, place);
    return sum;
  }
  // values += sign * keys^T columns
  RK_DEVICE void add(int place, const Columns& columns, float sign) {
    for_each_number(
        [&](int i, float number) {
          const float key = sign * number;
#pragma unroll
          for (int j = 0; j < thread_columns; ++j) {
            float& sum = T::compensated ? lost[T::compensated ? i : 0][j] : values[i][j];
            sum = multiply_add(key, columns.value[j], sum);
          }
        },
        place);
  }
  // A number for each key, which all threads that share it know.
  RK_DEVICE void store_rows(int place, const RowSums& sums) const {
    if (first_column != 0) return;
    for_each_row([&](int row, int i) { shared_store<float>(place + row * 4, sums.value[i]); });
  }
  RK_DEVICE RowSums load_rows(int place) const {
    RowSums sums;
    for_each_row([&](int row, int i) { sums.value[i] = shared_load<float>(place + row * 4); });
    return sums;
  }
  // values += sign * sums^T columns
  RK_DEVICE void add(const RowSums& sums, const Columns& columns, float sign) {
    for_each_row([&](int, int i) {
      const float key = sign * sums.value[i];
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        float& sum = T::compensated ? lost[T::compensated ? i : 0][j] : values[i][j];
        sum = multiply_add(key, columns.value[j], sum);
      }
    });
  }
  // What each of the thread's columns has of as many numbers as it has keys, over the thread's own.
  RK_DEVICE Columns project(const RowSums& sums) const {
    Columns products;
    for_each_row([&](int, int i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j)
        products.value[j] = multiply_add(sums.value[i], values[i][j], products.value[j]);
    });
    return products;
  }
  // What was lost so far goes where it still shows.
  RK_DEVICE void settle() {
    if constexpr (T::compensated) {
      for_each_row([&](int, int i) {
#pragma unroll
        for (int j = 0; j < thread_columns; ++j) {
          settle(values[i][j], lost[i][j]);
          if constexpr (T::has_phase) settle(imaginary[i][j], imaginary_lost[i][j]);
        }
      });
    }
  }

 private:
  RK_DEVICE void decay_elements(long long position, int half) {
    ElementInputs<T, rows> inputs;
    load_inputs<T>(*this, half, inputs);
    for_each_row([&](int row, int i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j)
        if (has_row(row) && has_column(first_column + j))
          multiply(i, j, decay_factor<T::compensated>(Gate::log_decay(at_element(position, inputs, i, j))));
    });
  }
  template <int group, class Visit, class... Number>
  static RK_DEVICE void visit_group(int first, const Visit& visit, const Number&... numbers) {
#pragma unroll
    for (int i = 0; i < group; ++i) visit(first + i, numbers.value[i]...);
  }
  static RK_DEVICE void settle(float& value, float& rest) {
    const float sum = value + rest;
    rest -= sum - value;
    value = sum;
  }
  static RK_DEVICE void set(float (&to)[thread_columns], float (&rests)[thread_columns], const Columns& kept) {
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) {
      to[j] = kept.value[j];
      if constexpr (T::compensated) rests[j] = 0.0f;
    }
  }
  RK_DEVICE void multiply(int i, int j, Unrounded factor) {
    multiply(values[i][j], lost[T::compensated ? i : 0][j], factor);
    if constexpr (T::has_phase) multiply(imaginary[i][j], imaginary_lost[T::compensated ? i : 0][j], factor);
  }
  static RK_DEVICE void multiply(float& value, float& rest, Unrounded factor) {
    const float product = value * factor.high;
    if constexpr (T::compensated)
      rest =
          multiply_add(value, factor.low, multiply_add(rest, factor.high, multiply_add(value, factor.high, -product)));
    value = product;
  }
  static constexpr int row_bytes = layout.threads * thread_columns * 4;  // of the rows that threads have for their i-th
  static RK_DEVICE int kept_in_block(int number) {
    return T::backward.states + (number - T::backward.states_in_memory) * T::backward.state_bytes +
           thread_index() * (thread_columns * 4);
  }
  // Each block has a place of its own.
  RK_DEVICE Global<Vector16> kept_in_memory(int number) const {
    const long long bytes = block_index() * T::backward.memory_bytes + number * T::backward.state_bytes;
    return global<Vector16>(T::kept_in_memory(arguments)) + (bytes / 16 + thread_index());
  }
};

// The lanes of a warp that share columns have a part of their sums each. Two exchanges leave each lane with one column's, so
// that few are exchanged: that of column_of_lane().
template <class T> RK_DEVICE int column_of_lane() {
  const int row_lane = lane_index() / T::layout.column_threads;
  return (row_lane & 1) * 2 + (row_lane >> 1 & 1);
}
template <class T> RK_DEVICE float sum_over_lanes(const Columns& parts) {
  constexpr int step = T::layout.column_threads;
  static_assert(4 * step <= warp_size);
  const int column = column_of_lane<T>();
  const bool upper = (column & 2) != 0, odd = (column & 1) != 0;
  float pair[2];
#pragma unroll
  for (int i = 0; i < 2; ++i)
    pair[i] =
        (upper ? parts.value[2 + i] : parts.value[i]) + shuffle_xor(upper ? parts.value[i] : parts.value[2 + i], step);
  float sum = (odd ? pair[1] : pair[0]) + shuffle_xor(odd ? pair[0] : pair[1], 2 * step);
#pragma unroll
  for (int lanes = 4 * step; lanes < warp_size; lanes *= 2) sum += shuffle_xor(sum, lanes);
  return sum;
}
// In every lane.
template <class T> RK_DEVICE Columns sums_over_warp(Columns sums) {
  constexpr int step = T::layout.column_threads;
  if constexpr (4 * step <= warp_size) {
    const float sum = sum_over_lanes<T>(sums);
    const int first = lane_index() % step;
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) sums.value[j] = shuffle(sum, first + ((j >> 1) + (j & 1) * 2) * step);
  } else {
#pragma unroll
    for (int j = 0; j < thread_columns; ++j)
#pragma unroll
      for (int lanes = step; lanes < warp_size; lanes *= 2) sums.value[j] += shuffle_xor(sums.value[j], lanes);
  }
  return sums;
}

// Sums over the keys of a warp go to the warp's place, from where load_column_sum() adds them up once all have met.
template <class T> RK_DEVICE void store_column_sums(int place, const Columns& sums, int first_column) {
  constexpr int step = T::layout.column_threads;
  const int of_warp = place + (key_warp<T>() * T::value_tile + first_column) * 4;
  if constexpr (4 * step <= warp_size) {
    const float sum = sum_over_lanes<T>(sums);
    if (lane_index() < 4 * step) shared_store<float>(of_warp + column_of_lane<T>() * 4, sum);
  } else {
    const Columns all = sums_over_warp<T>(sums);
    if (lane_index() < step) store_columns(of_warp, all);
  }
}
template <class T> RK_DEVICE float load_column_sum(int place, int column) {
  float sum = 0.0f;
#pragma unroll
  for (int warp = 0; warp < T::layout.key_warps; ++warp)
    sum += shared_load<float>(place + (warp * T::value_tile + column) * 4);
  return sum;
}
// The sums over all keys of a thread's columns; warps that share them meet at `place`.
template <class T> RK_DEVICE Columns sums_over_keys(int place, const Columns& parts, int first_column) {
  if constexpr (T::layout.key_warps == 1) {
    return sums_over_warp<T>(parts);
  } else {
    store_column_sums<T>(place, parts, first_column);
    sync_block();  // what all keys have
    Columns sums;
#pragma unroll
    for (int warp = 0; warp < T::layout.key_warps; ++warp) {
      const Columns more = load_columns(place + (warp * T::value_tile + first_column) * 4);
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) sums.value[j] += more.value[j];
    }
    return sums;
  }
}

}  // namespace rankone
