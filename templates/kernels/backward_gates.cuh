// SPDX-License-Identifier: MIT
// Of the backward pass in chunks: tokens' gates, and what formulas make of q, k and v.
#pragma once

#include "device/math.cuh"
#include "kernels/at.cuh"
#include "kernels/backward_policy.cuh"
#include "kernels/exponent.cuh"
#include "kernels/stage.cuh"
#include "recurrent/slopes.cuh"

namespace rankone {

// A view of a chunk. Columns are those of K and V; formulas are evaluated for tokens beyond the last, too, and dropped.
template <class T> struct TokenPlace {
  const Arguments& arguments;
  const Work& work;
  long long first_token;  // of the chunk, from work.start
  int rows;               // that exist
  int stage = 0;          // where there are staged inputs

  RK_DEVICE At<T, TokenPlace> at(int row, int column) const { return {*this, row, column}; }
  RK_DEVICE int head() const { return work.head; }
  RK_DEVICE int query_head() const { return work.query_head; }
  RK_DEVICE long long position_of(int row) const { return token_of<T>(work.position, work.length, first_token + row); }
  RK_DEVICE int key_of(int column) const { return column < T::key_dim ? column : T::key_dim - 1; }
  RK_DEVICE int value_of(int column) const { return column < T::value_dim ? column : T::value_dim - 1; }
  // In the row of the tensors.
  RK_DEVICE long long token(int row) const {
    const int last = rows - 1;
    return token_of<T>(work.start, work.length, first_token + (row < last ? row : last));
  }
  template <class Type> RK_DEVICE float element(int index, int head, int row, int column) const {
    const TensorArgument& tensor = port<T>(arguments, index);
    return to_float(global_load<Type>(
        global<const Type>(tensor.data) +
        (work.batch * tensor.batch_stride + token(row) * tensor.token_stride + head * tensor.head_stride + column)));
  }
  template <int index> RK_DEVICE float input(int row, int column) const {
    using Type = typename TypeOf<T::input_types[index]>::Type;
    constexpr unsigned axes = T::input_axes[index];
    if constexpr (T::stages_inputs && has_axis(axes, key_axis)) {
      constexpr int offset = T::walk_layout.inputs[index];
      return Tile<Type, T::key_padded>{stage + offset}.load(row, column);
    }
    int element_column = 0;
    if constexpr (has_axis(axes, key_axis)) element_column = key_of(column);
    if constexpr (has_axis(axes, value_axis)) element_column = value_of(column);
    return element<Type>(T::Ports::first_input + index, has_axis(axes, query_head_axis) ? work.query_head : work.head,
                         row, element_column);
  }
};
template <class T> using TokenAt = At<T, TokenPlace<T>>;

// The inputs that have one number a token, on their way: fetched early, they wait in registers.
template <class T> struct FetchedInputs {
  float values[T::inputs];

  struct View : TokenAt<T> {
    const float* values;
    RK_DEVICE View(const TokenAt<T>& at, const float* from) : TokenAt<T>(at), values(from) {}
    template <int index> RK_DEVICE float input() const { return values[index]; }
  };
  template <int index = 0> RK_DEVICE void fetch(const TokenAt<T>& at) {
    if constexpr (index < T::input_count) {
      if constexpr (!has_columns(T::input_axes[index])) values[index] = at.template input<index>();
      fetch<index + 1>(at);
    }
  }
  RK_DEVICE View at(const TokenAt<T>& at) const { return {at, values}; }
};

// A token's log-decay and write scale to shared memory: a thread each.
template <class T, class Gate, class At>
RK_DEVICE void write_token_gates(const At& at, int decay, int write, bool exists) {
  if constexpr (T::decays_by_head) shared_store<float>(decay + at.row * 4, exists ? Gate::log_decay(at) : 0.0f);
  if constexpr (T::has_write_scale) shared_store<float>(write + at.row * 4, exists ? Gate::write_scale(at) : 0.0f);
}

// Log-decays of a chunk's tokens, summed up to each. A warp does it, and a lane has some tokens side by side.
template <class T> struct ChunkSums {
  static constexpr int own = T::chunk < warp_size ? 1 : T::chunk / warp_size;
  Exponent sums[own], total, before_lane;

  RK_DEVICE explicit ChunkSums(int decay) {
    Exponent sum{0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < own; ++i) {
      if (has(i)) sum.add(exponent_of(log2_decay(shared_load<float>(decay + token(i) * 4))));
      sums[i] = sum;
    }
    sum.accumulate<warp_size>();
    const Exponent before{shuffle_up(sum.whole, 1), shuffle_up(sum.fraction, 1)};
    if (lane_index() > 0) {
#pragma unroll
      for (int i = 0; i < own; ++i) sums[i].add(before);
    }
    total = sum.of_lane(warp_size - 1);
    before_lane = lane_index() > 0 ? before : Exponent{0.0f, 0.0f};
  }
  // Up to the last decay that applies to what a query reads of earlier tokens.
  RK_DEVICE Exponent until_read(int i) const {
    if constexpr (reads_own<T>) return sums[i];
    return i > 0 ? sums[i > 0 ? i - 1 : 0] : before_lane;
  }
  RK_DEVICE static int token(int i) { return lane_index() * own + i; }
  RK_DEVICE static bool has(int i) { return token(i) < T::chunk; }
};

// An element of q or k through its formulas.
template <class T, class Gate> RK_DEVICE float written_key(TokenAt<T>& at, float key) {
  if constexpr (T::reads_key) at.key_value = Gate::feature_map(key);
  return Gate::key(at);
}
template <class T, class Gate> RK_DEVICE float read_query(TokenAt<T>& at, float query) {
  at.query_value = Gate::feature_map(query);
  if constexpr (T::has_query) {
    if constexpr (T::reads_key)
      at.key_value = Gate::feature_map(at.place.template element<typename T::Storage>(
          T::Ports::k, at.place.work.query_head, at.row, at.place.key_of(at.column)));
    return Gate::query(at);
  }
  return at.query_value;
}
// Rewrites a tile of queries; what does not exist was loaded as zero, and stays it.
template <class T, class Gate, class Tile>
RK_DEVICE void rewrite_queries(const TokenPlace<T>& place, const Tile& tile) {
#pragma unroll 2
  for (int item = thread_index(); item < T::chunk * T::key_padded; item += T::threads) {
    const int row = item / T::key_padded, column = item % T::key_padded;
    if (row >= place.rows || column >= T::key_dim) continue;
    TokenAt<T> at = place.at(row, column);
    tile.store(row, column, read_query<T, Gate>(at, tile.load(row, column)));
  }
}
// And one of keys, each times `scale(row)`.
template <class T, class Gate, class Tile, class Scale>
RK_DEVICE void rewrite_keys(const TokenPlace<T>& place, const Tile& tile, const Scale& scale) {
#pragma unroll 2
  for (int item = thread_index(); item < T::chunk * T::key_padded; item += T::threads) {
    const int row = item / T::key_padded, column = item % T::key_padded;
    const bool exists = row < place.rows && column < T::key_dim;
    float element = 0.0f;
    if constexpr (T::reads_key) {
      if (!exists) continue;
      element = tile.load(row, column);
    }
    TokenAt<T> at = place.at(row, column);
    tile.store(row, column, exists ? written_key<T, Gate>(at, element) * scale(row) : 0.0f);
  }
}
// Values through their formula, `first` being the tile's first column.
template <class T, class Gate, class Tile, int columns>
RK_DEVICE void rewrite_values(const TokenPlace<T>& place, const Tile& tile, int first) {
#pragma unroll 2
  for (int item = thread_index(); item < T::chunk * columns; item += T::threads) {
    const int row = item / columns, column = item % columns;
    if (row >= place.rows || first + column >= T::value_dim) continue;
    TokenAt<T> at = place.at(row, first + column);
    at.value_value = tile.load(row, column);
    tile.store(row, column, Gate::value(at));
  }
}

// Rows of a tensor into a tile, whatever their alignment.
template <class T, class Type, int columns>
RK_DEVICE void copy_rows(const Tile<Type, columns>& tile, const Source<Type>& source, long long first_token, int rows) {
  if (source.alignment == 16)
    copy_tile<T::threads, T::chunk>(tile, source, first_token, rows);
  else
    copy_unaligned<T::threads, T::chunk>(tile.offset, columns, source, first_token, rows);
}

// Inputs that run over keys, into a stage.
template <class T, int index = 0> RK_DEVICE void load_key_inputs(const TokenPlace<T>& place) {
  if constexpr (index < T::input_count) {
    constexpr unsigned axes = T::input_axes[index];
    if constexpr (has_axis(axes, key_axis)) {
      using Type = typename TypeOf<T::input_types[index]>::Type;
      constexpr int offset = T::walk_layout.inputs[index];
      const Work& work = place.work;
      const auto source =
          Source<Type>::template of<T>(place.arguments, T::Ports::first_input + index, work,
                                       has_axis(axes, query_head_axis) ? work.query_head : work.head, 0, T::key_dim);
      copy_rows<T>(Tile<Type, T::key_padded>{place.stage + offset}, source, place.first_token, place.rows);
    }
    load_key_inputs<T, index + 1>(place);
  }
}

// Tokens whose formulas are unrolled: each of them is one more text to compile.
constexpr int tokens_at_once = 4;

// The decay of a key at a token, of what does not exist 1. Adds its logarithm to `sum`.
template <class T, class Gate>
RK_DEVICE float key_decay(const TokenPlace<T>& place, int row, int column, float& sum) {
  const bool exists = row < place.rows && column < T::key_dim;
  const float evaluated = log2_decay(Gate::log_decay(place.at(row, column))), step = exists ? evaluated : 0.0f;
  sum += step;
  return exp2(step);
}

}  // namespace rankone
