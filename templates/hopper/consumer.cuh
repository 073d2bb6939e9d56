// SPDX-License-Identifier: MIT
// A consumer warpgroup: 64 value columns of the state, transposed, in float32 registers, advanced a span of tokens at a
// time.
//
// o^T = S^T q^T + v^T P^T, then S^T = S^T decay + v^T k: the state is the left operand of the first product in place,
// so it never passes through shared memory.
#pragma once

#include "device/barrier.cuh"
#include "device/global.cuh"
#include "device/math.cuh"
#include "hopper/causal_values.cuh"
#include "hopper/cluster_share.cuh"
#include "hopper/key_range.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/weighted_values.cuh"
#include "hopper/work_items.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

// values[key_block][4 j + 2 half + i]: key 64 key_block + 8 j + 2 pair + i, value column 16 warp + group + 8 half.
template <class T> struct RegisterState {
  static constexpr int key_blocks = T::key_blocks;
  float values[key_blocks][32];
  int unit = 0, read = 0;  // float16 alone: the state is values 2^unit, and as an operand over 2^read

  // Calls visit(value, element) for all that lie inside matrix `matrix` of a tensor of states.
  template <class Visit> RK_DEVICE void for_each(long long matrix, int first_column, const Visit& visit) {
    constexpr int key_step = T::value_major_state ? 1 : T::value_dim,
                  column_step = T::value_major_state ? T::key_dim : 1;
    const LanePlace lane = lane_place();
    const int key = 2 * lane.pair, first = first_column + lane.group;
    const long long element = matrix * T::key_dim * T::value_dim + static_cast<long long>(key) * key_step +
                              static_cast<long long>(first) * column_step;
#pragma unroll
    for (int key_block = 0; key_block < key_blocks; ++key_block) {
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const int k = key_block * 64 + i / 4 * 8 + i % 2, v = i / 2 % 2 * 8;
        const bool inside = (T::key_dim % 64 == 0 || key + k < T::key_dim) &&
                            (T::value_dim % T::value_tile == 0 || first + v < T::value_dim);
        if (inside) visit(values[key_block][i], element + k * key_step + v * column_step);
      }
    }
  }
  // A segment starts from its slot and, but for the last of its sequence, leaves its state to the next one's.
  RK_DEVICE void begin(const Arguments& arguments, const WorkItemRecord& item, int column) {
#pragma unroll
    for (int i = 0; i < 32 * key_blocks; ++i) values[i / 32][i % 32] = 0.0f;
    if constexpr (T::range_scaled) unit = read = 0;  // an item's rounding does not depend on the one before
    if constexpr (T::keeps_states && !T::state_only) return;
    const bool split = is_split<T>(arguments);
    if (T::keeps_states && split) return;
    const void* const states = split ? arguments.segment_states : arguments.initial_state;
    if (states == nullptr) return;
    const Global<const float> source = global<const float>(states);
    for_each((split ? item.slot() : item.sequence()) * arguments.value_heads + item.head(),
             item.value_column() + column,
             [&](float& value, long long element) { value = global_load<float>(source + element); });
  }
  RK_DEVICE void end(const Arguments& arguments, const WorkItemRecord& item, int column) {
    const bool kept = T::keeps_states && !keeps_for_caller<T>(arguments);
    void* const states = kept ? arguments.segment_states : arguments.final_state;
    if (states == nullptr || (T::writes_output && !item.ends())) return;
    if constexpr (T::range_scaled) change_unit(0);
    const Global<float> target = global<float>(states);
    for_each((kept ? item.slot() : item.sequence()) * arguments.value_heads + item.head(),
             item.value_column() + column,
             [&](float& value, long long element) { global_store<float>(target + element, value); });
  }

  // float16 alone: chooses what the state is over as an operand. Its largest element stays from 2^8 to 2^15. A value
  // column with something that is not finite has no say: its outputs are not finite either.
  RK_DEVICE void fit() {
    float largest[2] = {0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < 32 * key_blocks; ++i) {
      float& so_far = largest[i / 2 % 2];
      so_far = maximum(so_far, absolute(values[i / 32][i % 32]));
    }
    LargestFinite finite;
#pragma unroll
    for (int half = 0; half < 2; ++half) finite.add(largest[half]);
    const int above = finite.exponent();
    const int exponent = read - unit;
    if (above == -126 || (above - exponent >= 9 && above - exponent <= 15)) return;
    read = unit + clamp_exponent(above - 12, -scale_log2_limit - unit, scale_log2_limit - unit);
  }
  // A block of 64 keys as a left operand, 16 keys a step.
  template <class Operand> RK_DEVICE void pack(int key_block, unsigned (&a)[4][4]) const {
    [[maybe_unused]] const float factor = T::range_scaled ? power_of_two(unit - read) : 1.0f;
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const float* const c = values[key_block] + i * 2;
      if constexpr (T::range_scaled)
        a[i / 4][i % 4] = Element<Operand>::pack(c[0] * factor, c[1] * factor);
      else
        a[i / 4][i % 4] = Element<Operand>::pack(c[0], c[1]);
    }
  }
  RK_DEVICE void change_unit(int to) {
    if (unit == to) return;
    decay_all(power_of_two(unit - to));
    unit = to;
  }
  // Multiplies 64 keys by its keys' decays, float [block of the cluster][span][rank_columns] from the span's on.
  RK_DEVICE void decay_key_block(int key_block, int decays) {
    constexpr int columns = T::layout.rank_columns;
    const int first =
        decays + (64 * key_block / columns * T::spans * columns + 64 * key_block % columns + 2 * lane_place().pair) * 4;
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const Pair decay = shared_load<Pair>(first + 32 * j);
      float* const c = values[key_block] + 4 * j;
      c[0] *= decay.first;
      c[1] *= decay.second;
      c[2] *= decay.first;
      c[3] *= decay.second;
    }
  }
  RK_DEVICE void decay_all(float decay) {
#pragma unroll
    for (int i = 0; i < 32 * key_blocks; ++i) values[i / 32][i % 32] *= decay;
  }
  RK_DEVICE void settle() {
#pragma unroll
    for (int key_block = 0; key_block < key_blocks; ++key_block) wgmma_settle(values[key_block]);
  }
};

// The 16 value columns of one warp: read as v, then rewritten as o on its way out.
template <class T> struct WarpTile {
  using Storage = typename T::Storage;
  SwizzledTile<Storage, T::chunk> tile;
  int column;

  // Tokens of an accumulator o^T from row `first` on. scale_of(token) is that of two tokens.
  template <int count, class Scale>
  RK_DEVICE void write(int first, const float (&o)[count], const Scale& scale_of) const {
    const int pair = lane_place().pair;
#pragma unroll
    for (int block = 0; block < count / 8; ++block) {
      unsigned r[4];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const Pair scale = scale_of(16 * block + 8 * half + 2 * pair);
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i)
          r[i] = Element<Storage>::pack(o[8 * block + 2 * i] * scale.first, o[8 * block + 2 * i + 1] * scale.second);
      }
      store_matrix_x4_transposed(tile.transposed_place(first + 16 * block, column), r);
    }
  }
  RK_DEVICE void send(const Arguments& arguments, const WorkItemRecord& item, long long first_token, int rows) const {
    const TensorArgument& output = arguments.output;
    const int lane = opaque(lane_index()), half = lane % 2, first_row = lane / 2,
              first_column = item.value_column() + column + 8 * half;
    if (first_column >= T::value_dim) return;
    Global<Storage> target = global<Storage>(output.data) + item.batch() * output.batch_stride +
                             (item.start() + first_token + first_row) * output.token_stride +
                             item.head() * output.head_stride + first_column;
    if ((arguments.flags & output_is_vectorized) != 0 && first_column + 8 <= T::value_dim) {
#pragma unroll
      for (int turn = 0; turn < T::chunk / 16; ++turn) {
        const int row = first_row + turn * 16;
        if (row < rows) global_store<Vector16>(target, shared_load<Vector16>(tile.at(row, column + 8 * half)));
        target += 16 * output.token_stride;
      }
      return;
    }
#pragma unroll 1
    for (int row = first_row; row < rows; row += 16) {
#pragma unroll 1
      for (int i = 0; i < 8 && first_column + i < T::value_dim; ++i) {
        global_store<Storage>(target + i, shared_load<Storage>(tile.at(row, column + 8 * half + i)));
      }
      target += 16 * output.token_stride;
    }
  }
};

// A step per key: a span of tokens. Queries have decayed since its start, so that the state decays once it is read.
template <class T>
RK_DEVICE void step_key_span(RegisterState<T>& state, const WarpTile<T>& warp_tile, int base, int span, float scale) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  constexpr int blocks = T::span / 16;
  const int first = span * T::span, range = base + layout.range + span * span_range_bytes;
  const SwizzledTile<Operand, T::chunk> query{base + layout.query}, key{base + layout.key};
  if constexpr (T::range_scaled) state.change_unit(shared_load<int>(range));
  float o[T::span / 2];
  const int decays = base + layout.decay + span * layout.rank_columns * 4;
  if constexpr (T::range_scaled && T::writes_output) state.fit();
#pragma unroll
  for (int key_block = 0; key_block < T::key_blocks; ++key_block) {
    if constexpr (T::writes_output) {  // a key block's operands at a time: registers are dear
      unsigned s[4][4];
      state.template pack<Operand>(key_block, s);
      wgmma_fence();
#pragma unroll
      for (int step = 0; step < 4; ++step) {
        const auto queries = query.as_rows(first, 64 * key_block + 16 * step);
        if (key_block + step == 0)
          wgmma<Operand, false>(o, s[step], queries);
        else
          wgmma<Operand, true>(o, s[step], queries);
      }
      wgmma_commit(redundant::without_range_scales);
      wgmma_wait<1>(redundant::but_for_the_compiler);
      state.settle();
    }
    state.decay_key_block(key_block, decays);
    if constexpr (T::writes_output) {
      wgmma_wait<0>(redundant::without_range_scales);
      wgmma_settle(o);
    }
  }
  if constexpr (T::writes_output) {
    if constexpr (T::range_scaled) {  // to the scores' units
      const float read = power_of_two(state.read);
#pragma unroll
      for (int j = 0; j < T::span / 8; ++j) {
        const Vector16 two = shared_load<Vector16>(SpanRange<T>::place_of(range, 8 * j + 2 * lane_place().pair));
        const float first_part = as_float(two.word[0]) * read, second_part = as_float(two.word[2]) * read;
        o[4 * j] *= first_part;
        o[4 * j + 1] *= second_part;
        o[4 * j + 2] *= first_part;
        o[4 * j + 3] *= second_part;
      }
      wgmma_settle(o);
    }
  }
  const CausalValues<T, blocks> values{warp_tile.tile, warp_tile.column, first};
  unsigned v[blocks][4];
  values.load(v);
  [[maybe_unused]] bool spoilt = false;
  if constexpr (T::writes_output) {
    spoilt = values.are_spoilt(v);
    if (spoilt) values.clear_spoilt(v, state.values);
  }
  state.settle();
  wgmma_fence();
  if constexpr (T::writes_output) {
    // Parts of the scores, shared as the keys are.
    constexpr int of_rank = layout.score_parts, parts = T::key_ranks * of_rank;
    const int scores = base + layout.scores + span * of_rank * score_bytes;
    using Scores = MatrixView<true, false, 128, 256>;
#pragma unroll
    for (int index = 0; index < parts * blocks; ++index) {
      const int part = index / blocks;
      const Scores view{
          scores, (part / of_rank * T::spans * of_rank + part % of_rank) * score_bytes + index % blocks * T::span * 32};
      wgmma<Operand, true>(o, v[index % blocks], view);
    }
    wgmma_commit();
    wgmma_fence();
  }
#pragma unroll
  for (int block = 0; block < blocks; ++block) {
#pragma unroll
    for (int key_block = 0; key_block < T::key_blocks; ++key_block)
      wgmma<Operand, true>(state.values[key_block], v[block], key.as_columns(first + 16 * block, key_block));
  }
  wgmma_commit();
  if constexpr (T::writes_output) {
    wgmma_wait<1>();
    wgmma_settle(o);
    if (spoilt) values.spoil(o);
    warp_tile.write(first, o, [&](int token) {
      if constexpr (T::range_scaled) {
        const Vector16 two = shared_load<Vector16>(SpanRange<T>::place_of(range, token));
        return Pair{scale * as_float(two.word[1]), scale * as_float(two.word[3])};
      } else {
        return Pair{scale, scale};
      }
    });
  }
  wgmma_wait<0>();
  state.settle();
}

// A step where a token's decay is one number: the whole chunk.
template <class T>
RK_DEVICE void step_chunk(RegisterState<T>& state, const WarpTile<T>& warp_tile, int base, float scale) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  constexpr int blocks = T::chunk / 16;
  const SwizzledTile<Operand, T::chunk> query{base + layout.query}, key{base + layout.key},
      scores{base + layout.scores};
  const int row_decay = base + layout.decay, column_decay = row_decay + T::chunk * 4,
            total = column_decay + T::chunk * 4;
  const int pair = lane_place().pair;
  float o[T::chunk / 2];
  unsigned s[T::key_blocks][4][4];  // the state before the chunk
  if constexpr (T::writes_output) {
    if constexpr (T::range_scaled) state.fit();
#pragma unroll
    for (int key_block = 0; key_block < T::key_blocks; ++key_block)
      state.template pack<Operand>(key_block, s[key_block]);
  }
  if constexpr (T::weighted) state.decay_all(shared_load<float>(total));
  if constexpr (T::writes_output) {
    wgmma_fence();
    wgmma<Operand, false>(o, s[0][0], query.as_rows(0, 0));
#pragma unroll
    for (int step = 1; step < 4 * T::key_blocks; ++step)
      wgmma<Operand, true>(o, s[step / 4][step % 4], query.as_rows(0, 16 * step));
    wgmma_commit(redundant::without_weights);
  }
  const CausalValues<T, blocks> values{warp_tile.tile, warp_tile.column, 0};
  unsigned weighted[blocks][4];
  if constexpr (T::weighted && T::range_scaled) {
    int unit = state.unit;
    WeightedValues<T>{warp_tile.tile, warp_tile.column, column_decay}.pack(weighted, unit);
    state.change_unit(unit);
  } else {
    values.load(weighted);
  }
  if constexpr (T::weighted && !T::range_scaled) {
#pragma unroll
    for (int block = 0; block < blocks; ++block) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const Pair decay = shared_load<Pair>(column_decay + (16 * block + i / 2 * 8 + 2 * pair) * 4);
        float low, high;
        Element<Operand>::unpack(weighted[block][i], low, high);
        weighted[block][i] = Element<Operand>::pack(low * decay.first, high * decay.second);
      }
    }
  }
  [[maybe_unused]] bool spoilt = false;
  if constexpr (T::writes_output && !T::range_scaled) spoilt = values.are_spoilt(weighted);  // while products run
  state.settle();
  wgmma_fence();
#pragma unroll
  for (int block = 0; block < blocks; ++block) {
#pragma unroll
    for (int key_block = 0; key_block < T::key_blocks; ++key_block) {
      wgmma<Operand, true>(state.values[key_block], weighted[block], key.as_columns(16 * block, key_block));
    }
  }
  wgmma_commit(redundant::without_weights);
  if constexpr (T::writes_output) {
    if constexpr (T::weighted || T::range_scaled) {
      wgmma_wait<1>();
      wgmma_settle(o);
      [[maybe_unused]] const float read_scale = power_of_two(state.read);  // in float16
#pragma unroll
      for (int j = 0; j < T::chunk / 8; ++j) {
        Pair decay = shared_load<Pair>(row_decay + (8 * j + 2 * pair) * 4);
        if constexpr (T::range_scaled) decay = {decay.first * read_scale, decay.second * read_scale};
        o[4 * j] *= decay.first;
        o[4 * j + 1] *= decay.second;
        o[4 * j + 2] *= decay.first;
        o[4 * j + 3] *= decay.second;
      }
      wgmma_settle(o);
    }
    unsigned v[blocks][4];
    values.load(v);                                                // once more: registers are dearer
    if constexpr (T::range_scaled) spoilt = values.are_spoilt(v);  // likewise
    if (spoilt) values.clear_spoilt(v);
    wgmma_fence();
#pragma unroll
    for (int block = 0; block < blocks; ++block) wgmma<Operand, true>(o, v[block], scores.as_rows(0, 16 * block));
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_settle(o);
    if (spoilt) values.spoil(o);
    warp_tile.write(0, o, [&](int token) {
      if constexpr (T::range_scaled) {
        const Pair units = shared_load<Pair>(base + layout.range + token * 4);
        return Pair{scale * units.first, scale * units.second};
      } else {
        return Pair{scale, scale};
      }
    });
  } else {
    wgmma_wait<0>();
  }
  state.settle();
}

template <class T> struct Consumer {
  RegisterState<T> state;
  Pipeline<T> pipeline;

  RK_DEVICE void run(const Arguments& arguments) {
    const int group = thread_index() / group_threads - 1 - T::layout.gate_groups;
    const int column = 64 * group + 16 * (warp_index() % 4);  // of the block's tile, the warp's first
#pragma unroll 1
    for (;; pipeline.advance()) {
      mbarrier_wait(pipeline.ready(), pipeline.phase);
      {
        const StageDescriptor descriptor = StageDescriptor::read(pipeline.descriptor());
        if (descriptor.item.offset == 0) return;
        if (descriptor.first_token == 0) state.begin(arguments, descriptor.item, column);
      }
      const int rows = StageDescriptor::read(opaque(pipeline.descriptor())).rows;
      const int base = pipeline.base();
      const WarpTile<T> warp_tile{{base + T::layout.value}, column};
      if constexpr (T::per_key) {
#pragma unroll 1
        for (int span = 0; span < T::spans && span * T::span < rows; ++span) {
          step_key_span(state, warp_tile, base, span, arguments.scale);
        }
      } else if (rows > 0) {
        step_chunk(state, warp_tile, base, arguments.scale);
      }
      const StageDescriptor descriptor =
          StageDescriptor::read(opaque(pipeline.descriptor()));  // once more: registers are dearer
      if constexpr (T::writes_output) {
        sync_warp();  // the warp tile holds o
        warp_tile.send(arguments, descriptor.item, descriptor.first_token, descriptor.rows);
      }
      if (descriptor.last) state.end(arguments, descriptor.item, column);
      mbarrier_arrive(pipeline.empty());
      if constexpr (T::cluster > 1) {              // for the others a lane will do
        sync_warp(redundant::where_output_meets);  // all lanes have read what the other blocks will write
        if (lane_index() < T::cluster && lane_index() != block_rank())
          mbarrier_arrive_at(pipeline.empty(), lane_index());
      }
    }
  }
};

}  // namespace rankone
