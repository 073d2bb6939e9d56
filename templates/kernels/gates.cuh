// SPDX-License-Identifier: MIT
// Evaluates the variant's expressions on a chunk: decays, write scales, keys and feature maps.
//
// Every factor is a product of decays in [0, 1], never a quotient: nothing can overflow, and a reset leaves exact
// zeros. Base-2 logarithms are clamped at -150 a token before they are summed. Over a whole sub-chunk, whose factor
// meets every earlier token again, the sum is rounded to a factor once.
#pragma once

#include "device/math.cuh"
#include "kernels/at.cuh"
#include "kernels/exponent.cuh"
#include "kernels/read.cuh"
#include "kernels/stage.cuh"

namespace rankone {

template <class Traits> struct ChunkPlace;
template <class Traits> using ChunkAt = At<Traits, ChunkPlace<Traits>>;

template <class Traits> struct ChunkPlace {
  const Arguments& arguments;
  const Work& work;
  int stage;              // where the chunk's tiles start
  long long first_token;  // of the chunk, from work.start
  int rows;               // tokens of the chunk that exist; formulas are evaluated for others too, and dropped

  RK_DEVICE ChunkAt<Traits> at(int row, int column) const { return {*this, row, column}; }
  RK_DEVICE int head() const { return work.head; }
  RK_DEVICE int query_head() const { return work.query_head; }
  RK_DEVICE long long position_of(int row) const {
    return token_of<Traits>(work.position, work.length, first_token + row);
  }
  RK_DEVICE int key_of(int column) const { return column < Traits::key_dim ? column : Traits::key_dim - 1; }
  RK_DEVICE int value_of(int column) const {
    return has_value(column) ? work.value_column + column : Traits::value_dim - 1;
  }
  RK_DEVICE bool has_value(int column) const { return work.value_column + column < Traits::value_dim; }
  template <int index> RK_DEVICE float input(int row, int column) const {
    using T = typename TypeOf<Traits::input_types[index]>::Type;
    if constexpr (constexpr int columns = staged_columns<Traits>(index); columns > 0) {
      constexpr int offset = Traits::layout.inputs[index];
      return Tile<T, columns>{stage + offset}.load(row, column);
    } else {
      if constexpr (Traits::non_causal) {
        if constexpr (Traits::input_is_of_queries[index] != Traits::reads_query) return 0.0f;  // for no formula
      }
      const TensorArgument& tensor = port<Traits>(arguments, Traits::Ports::first_input + index);
      const int head_of_input = has_axis(Traits::input_axes[index], query_head_axis) ? work.query_head : work.head,
                last_row = rows - 1;
      const long long token =
          token_of<Traits>(work.start, work.length, first_token + (row < last_row ? row : last_row));
      return to_float(global_load<T>(
          global<const T>(tensor.data) +
          (work.batch * tensor.batch_stride + token * tensor.token_stride + head_of_input * tensor.head_stride)));
    }
  }
};

// Per-head gates of a chunk, in two steps: their inputs are fetched early and wait in registers, so that the latency of
// global memory hides behind the work in between; the values go to shared memory later. One thread a token.
template <class Traits> struct TokenGates {
  static constexpr bool needed = (Traits::weighted && !Traits::decays_by_key) || Traits::has_write_scale;
  static constexpr int tokens = (Traits::chunk + Traits::threads - 1) / Traits::threads;
  static constexpr int inputs = Traits::input_count > 0 ? Traits::input_count : 1;
  float raw[tokens][inputs];

  // The same view as At, over the fetched inputs.
  struct Fetched : ChunkAt<Traits> {
    const float* fetched;
    RK_DEVICE Fetched(const ChunkAt<Traits>& at, const float* values) : ChunkAt<Traits>(at), fetched(values) {}
    template <int index> RK_DEVICE float input() const { return fetched[index]; }
  };

  template <int index = 0> RK_DEVICE void fetch_inputs(const ChunkAt<Traits>& at, float (&values)[inputs]) {
    if constexpr (index < Traits::input_count) {
      if constexpr (staged_columns<Traits>(index) == 0) values[index] = at.template input<index>();
      fetch_inputs<index + 1>(at, values);
    }
  }
  RK_DEVICE void fetch(const ChunkPlace<Traits>& place) {
    if constexpr (needed) {
#pragma unroll
      for (int i = 0; i < tokens; ++i) {
        const int row = thread_index() + i * Traits::threads;
        if (row < place.rows) fetch_inputs(place.at(row, 0), raw[i]);
      }
    }
  }
  template <class Gate> RK_DEVICE void write(const ChunkPlace<Traits>& place) {
    if constexpr (needed) {
#pragma unroll
      for (int i = 0; i < tokens; ++i) {
        const int row = thread_index() + i * Traits::threads;
        if (row >= Traits::chunk) break;
        const Fetched at(place.at(row, 0), raw[i]);
        if constexpr (!Traits::decays_by_key) {
          float log_decay = 0.0f;
          if constexpr (!Traits::decays_by_value) log_decay = row < place.rows ? Gate::log_decay(at) : 0.0f;
          shared_store<float>(Traits::layout.decay + row * 4, log_decay);
        }
        if constexpr (Traits::has_write_scale) {
          shared_store<float>(Traits::layout.write + row * 4, row < place.rows ? Gate::write_scale(at) : 0.0f);
        }
      }
    }
  }
};

template <class Traits> RK_DEVICE float write_scale_of(int row) {
  if constexpr (Traits::has_write_scale) return shared_load<float>(Traits::layout.write + row * 4);
  return 1.0f;
}

// The scalar decays of one sub-chunk, summed up to each token: lane t holds token t % 16. Warp-wide.
template <class Traits> struct SpanDecay {
  Exponent sum;
  float log_sum;  // of natural logarithms, unclamped

  RK_DEVICE explicit SpanDecay(int span) {
    const int lane = lane_index();
    log_sum = shared_load<float>(Traits::layout.decay + (span * sub_chunk + lane % sub_chunk) * 4);
    sum = exponent_of(log2_decay(log_sum));
    sum.accumulate<sub_chunk>();
    if constexpr (Traits::sums_log_decays) {
#pragma unroll
      for (int distance = 1; distance < sub_chunk; distance *= 2) {
        const float before = shuffle_up(log_sum, distance);
        if (lane % sub_chunk >= distance) log_sum += before;
      }
    }
  }
  RK_DEVICE Exponent at(int token) const { return sum.of_lane(token); }

  // For the recurrence: each token's decay since the start, what its write keeps until the end, and the whole.
  RK_DEVICE void write(int span) const {
    const int lane = lane_index(), token = span * sub_chunk + lane;
    const Exponent end = at(sub_chunk - 1), start{0.0f, 0.0f};
    Exponent up_to_query = sum;
    if constexpr (!reads_own<Traits>) {
      const Exponent before = at(last_read<Traits>(lane));
      up_to_query = lane == 0 ? start : before;
    }
    if (lane < sub_chunk) {
      shared_store<float>(Traits::layout.row_decay + token * 4, exp2_of_difference(up_to_query, start));
      shared_store<float>(Traits::layout.column_decay + token * 4,
                          exp2_of_difference(end, sum) * write_scale_of<Traits>(token));
    }
    if (lane == sub_chunk - 1) {
      if constexpr (Traits::split_products)
        shared_store<Unrounded>(Traits::layout.span_decay + span * 16, unrounded_exp2(end.whole + end.fraction));
      else
        shared_store<float>(Traits::layout.span_decay + span * 16, exp2_of_difference(end, start));
      if constexpr (Traits::sums_log_decays) shared_store<float>(Traits::layout.span_log + span * 16, log_sum);
    }
  }
};

// The same where no scores are wanted. A warp a sub-chunk.
template <class Traits> RK_DEVICE void write_span_decays() {
  for (int span = warp_index(); span < Traits::spans; span += Traits::warps) SpanDecay<Traits>(span).write(span);
}

// Rewrites q and k tiles through the feature map and the key expression, where the decay is not per key.
template <class Traits, class Gate> RK_DEVICE void rewrite_tiles(const ChunkPlace<Traits>& place) {
  const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
  for (int item = thread_index(); item < Traits::chunk * Traits::key_padded; item += Traits::threads)
    rewrite_element<Traits, Gate>(place, query, key, item / Traits::key_padded, item % Traits::key_padded);
}

// Per value column: decays, and values times what each keeps until the sub-chunk's end.
template <class Traits> using ValueDecayTile = Tile<float, Traits::value_tile>;
template <class Traits> using WeightedValueTile = Tile<typename Traits::Operand, Traits::value_tile>;

// The values that tokens write.
template <class Traits> RK_DEVICE ValueTile<Traits> written_values(const ChunkPlace<Traits>& place) {
  return {Traits::layout.keeps_values ? Traits::layout.written_value : place.stage + Traits::layout.value};
}

// They follow from v by a formula.
template <class Traits, class Gate> RK_DEVICE void write_value(const ChunkPlace<Traits>& place, int row, int column) {
  float result = 0.0f;
  if (row < place.rows && place.has_value(column)) {
    ChunkAt<Traits> at = place.at(row, column);
    at.value_value = ValueTile<Traits>{place.stage + Traits::layout.value}.load(row, column);
    result = Gate::value(at);
  }
  written_values<Traits>(place).store(row, column, result);
}
template <class Traits, class Gate> RK_DEVICE void write_values(const ChunkPlace<Traits>& place) {
  for (int item = thread_index(); item < Traits::chunk * Traits::value_tile; item += Traits::threads)
    write_value<Traits, Gate>(place, item / Traits::value_tile, item % Traits::value_tile);
}

// The log-decay of a value column; of a token beyond the last, or of a column beyond V, nothing.
template <class Traits, class Gate>
RK_DEVICE float value_log_decay(const ChunkPlace<Traits>& place, int row, int column) {
  if (row >= place.rows || !place.has_value(column)) return 0.0f;
  if constexpr (Traits::decays_on_both_sides)
    return Gate::log_decay_of_value(place.at(row, column));
  else
    return Gate::log_decay(place.at(row, column));
}

// Decays of value columns: the decay tile, each sub-chunk's decay, and what values keep until its end. One thread a column
// of a sub-chunk, which writes the column's values first, where a formula gives them.
template <class Traits, class Gate> RK_DEVICE void write_value_gates(const ChunkPlace<Traits>& place) {
  constexpr int columns = Traits::value_tile;
  const ValueTile<Traits> value = written_values<Traits>(place);
  const ValueDecayTile<Traits> decay{Traits::layout.value_decay};
  const WeightedValueTile<Traits> weighted{Traits::layout.weighted_value};
  for (int item = thread_index(); item < Traits::spans * columns; item += Traits::threads) {
    const int first = item / columns * sub_chunk, column = item % columns;
    float sum = 0.0f, kept = 1.0f;
#pragma unroll 2
    for (int row = first; row < first + sub_chunk; ++row) {
      if constexpr (Traits::has_value) write_value<Traits, Gate>(place, row, column);
      const float step = log2_decay(value_log_decay<Traits, Gate>(place, row, column));
      sum += step;
      decay.store(row, column, exp2(step));
    }
#pragma unroll 4
    for (int row = first + sub_chunk - 1; row >= first; --row) {
      weighted.store(row, column, value.load(row, column) * kept);
      kept *= decay.load(row, column);
    }
    if constexpr (Traits::split_products) {
      const Unrounded whole = unrounded_exp2(sum);
      shared_store<float>(Traits::layout.value_span_decay + item * 4, whole.high);
      shared_store<float>(Traits::layout.value_span_decay_low + item * 4, whole.low);
    } else {
      shared_store<float>(Traits::layout.value_span_decay + item * 4, exp2(sum));
    }
  }
}

// Rows that are unrolled: fewer the longer the rest of the kernel is.
template <class Traits>
inline constexpr int rows_at_once = !Traits::is_long                                                     ? 4
                                    : sizeof(typename Traits::Operand) == 2 || Traits::key_padded <= 128 ? 2
                                                                                                         : 1;

// Per-key decays: the decay tile, each sub-chunk's decay, and q and k through their expressions. One thread a column
// of a sub-chunk.
template <class Traits, class Gate> RK_DEVICE void write_key_gates(const ChunkPlace<Traits>& place) {
  const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
  const Tile<float, Traits::key_padded> decay{Traits::layout.decay};
  for (int item = thread_index(); item < Traits::spans * Traits::key_padded; item += Traits::threads) {
    const int span = item / Traits::key_padded, column = item % Traits::key_padded;
    float sum = 0.0f, log_sum = 0.0f;
#pragma unroll(rows_at_once <Traits>)
    for (int t = 0; t < sub_chunk; ++t) {
      const int row = span * sub_chunk + t;
      const bool exists = row < place.rows && column < Traits::key_dim;
      ChunkAt<Traits> at = place.at(row, column);
      float evaluated;
      if constexpr (Traits::decays_by_value)
        evaluated = Gate::log_decay_of_key(at);
      else
        evaluated = Gate::log_decay(at);
      const float log_decay = exists ? evaluated : 0.0f;
      const float step = log2_decay(log_decay);
      sum += step;
      if constexpr (Traits::sums_log_decays) log_sum += log_decay;
      at.decay_value = exp2(step);
      decay.store(row, column, at.decay_value);
      if constexpr (Traits::rewrites) {
        if (exists) {
          rewrite_existing<Traits, Gate>(at, query, key);
        } else if constexpr (!Traits::reads_key) {
          key.store(row, column, 0.0f);
        }
      }
    }
    if constexpr (Traits::split_products) {
      const Unrounded whole = unrounded_exp2(sum);
      shared_store<float>(Traits::layout.span_decay + item * 4, whole.high);
      shared_store<float>(Traits::layout.span_decay_low + item * 4, whole.low);
    } else {
      shared_store<float>(Traits::layout.span_decay + item * 4, exp2(sum));
    }
    if constexpr (Traits::sums_log_decays) shared_store<float>(Traits::layout.span_log + item * 4, log_sum);
  }
}

// Per-key decays: q times the decay since the sub-chunk's start, k times the decay up to its end and the write scale.
template <class Traits> RK_DEVICE void write_scaled_operands(const ChunkPlace<Traits>& place) {
  using Operand = typename Traits::Operand;
  constexpr Layout layout = Traits::layout;
  const QueryTile<Traits> query{place.stage + layout.query}, key{place.stage + layout.key};
  const Tile<Operand, Traits::key_padded> scaled_query{layout.in_place ? place.stage + layout.query
                                                                       : layout.scaled_query};
  const Tile<Operand, Traits::key_padded> scaled_key{layout.in_place ? place.stage + layout.key : layout.scaled_key};
  const Tile<float, Traits::key_padded> decay{layout.decay};
  for (int item = thread_index(); item < Traits::spans * Traits::key_padded / 2; item += Traits::threads) {
    const int first = item / (Traits::key_padded / 2) * sub_chunk, column = item % (Traits::key_padded / 2) * 2;
    float even = 1.0f, odd = 1.0f, decay_even, decay_odd, low, high;
    if constexpr (Traits::reads_query) {
#pragma unroll(rows_at_once <Traits>)
      for (int row = first; row < first + sub_chunk; ++row) {
        load_pair(decay, row, column, decay_even, decay_odd);
        load_pair(query, row, column, low, high);
        if constexpr (!reads_own<Traits>) store_pair(scaled_query, row, column, low * even, high * odd);
        even *= decay_even;
        odd *= decay_odd;
        if constexpr (reads_own<Traits>) store_pair(scaled_query, row, column, low * even, high * odd);
      }
    }
    even = odd = 1.0f;
#pragma unroll(rows_at_once <Traits>)
    for (int row = first + sub_chunk - 1; row >= first; --row) {
      const float write = write_scale_of<Traits>(row);
      load_pair(key, row, column, low, high);
      store_pair(scaled_key, row, column, low * even * write, high * odd * write);
      load_pair(decay, row, column, decay_even, decay_odd);
      even *= decay_even;
      odd *= decay_odd;
    }
  }
}

}  // namespace rankone
