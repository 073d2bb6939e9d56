// SPDX-License-Identifier: MIT
// A state warpgroup: 64 value columns of the state, transposed, in float32 registers, advanced a span of tokens at a
// time.
//
// o^T = S^T q^T + v^T P^T, then S^T = S^T decay + v^T k: the state is the left operand of the first product in place,
// so it never passes through shared memory.
#pragma once

#include "device/barrier.cuh"
#include "device/math.cuh"
#include "hopper/items.cuh"
#include "hopper/panel.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

// values[panel][4 j + 2 half + i]: key 64 panel + 8 j + 2 pair + i, value column 16 warp + group + 8 half.
template <class T> struct GroupState {
  float values[T::panels][32];

  // Calls visit(value, element) for all that lie inside matrix `matrix` of a tensor of states.
  template <class Visit> RK_DEVICE void for_each(long long matrix, int first_column, const Visit& visit) {
    constexpr int key_step = T::value_major_state ? 1 : T::value_dim,
                  column_step = T::value_major_state ? T::key_dim : 1;
    const LanePlace lane = lane_place();
    const int key = 2 * lane.pair, first = first_column + lane.group;
    const long long element = matrix * T::key_dim * T::value_dim + static_cast<long long>(key) * key_step +
                              static_cast<long long>(first) * column_step;
#pragma unroll
    for (int panel = 0; panel < T::panels; ++panel) {
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const int k = panel * 64 + i / 4 * 8 + i % 2, v = i / 2 % 2 * 8;
        const bool inside = (T::key_dim % 64 == 0 || key + k < T::key_dim) &&
                            (T::value_dim % T::value_tile == 0 || first + v < T::value_dim);
        if (inside) visit(values[panel][i], element + k * key_step + v * column_step);
      }
    }
  }
  // A segment starts from its slot and, but for the last of its sequence, leaves its state to the next one's.
  RK_DEVICE void begin(const Arguments& arguments, const ItemAt& item, int column) {
#pragma unroll
    for (int i = 0; i < 32 * T::panels; ++i) values[i / 32][i % 32] = 0.0f;
    if constexpr (T::role == Role::states) return;
    const bool split = is_split<T>(arguments);
    const float* const source = static_cast<const float*>(split ? arguments.chunk_states : arguments.initial_state);
    if (source == nullptr) return;
    for_each((split ? item.slot() : item.sequence()) * arguments.value_heads + item.head(),
             item.value_column() + column, [&](float& value, long long element) { value = source[element]; });
  }
  RK_DEVICE void end(const Arguments& arguments, const ItemAt& item, int column) {
    float* const target = static_cast<float*>(T::role == Role::states ? arguments.chunk_states : arguments.final_state);
    if (target == nullptr || (T::role != Role::states && !item.ends())) return;
    for_each((T::role == Role::states ? item.slot() : item.sequence()) * arguments.value_heads + item.head(),
             item.value_column() + column, [&](float& value, long long element) { target[element] = value; });
  }

  // 16 keys as steps of a left operand.
  template <class Operand> RK_DEVICE void pack(unsigned (&a)[4], int step) const {
    const float* const c = values[step / 4] + step % 4 * 8;
    a[0] = Element<Operand>::pack(c[0], c[1]);
    a[1] = Element<Operand>::pack(c[2], c[3]);
    a[2] = Element<Operand>::pack(c[4], c[5]);
    a[3] = Element<Operand>::pack(c[6], c[7]);
  }
  // Multiplies a block's keys by their decays.
  RK_DEVICE void decay_block(int block, int decays) {
    const int first = decays + (block * key_block + 2 * lane_place().pair) * 4;
#pragma unroll
    for (int j = 0; j < key_block / 8; ++j) {
      Pair decay = shared_load<Pair>(first + j * 32);
      decay = {absolute(decay.first), absolute(decay.second)};  // the sign says something else
      float* const c = values[block * key_block / 64] + block * key_block % 64 / 2 + 4 * j;
      c[0] *= decay.first;
      c[1] *= decay.second;
      c[2] *= decay.first;
      c[3] *= decay.second;
    }
  }
  RK_DEVICE void decay_all(float decay) {
#pragma unroll
    for (int i = 0; i < 32 * T::panels; ++i) values[i / 32][i % 32] *= decay;
  }
  RK_DEVICE void settle() {
#pragma unroll
    for (int panel = 0; panel < T::panels; ++panel) wgmma_settle(values[panel]);
  }
};

// The strip of 16 value columns that is one warp's own: read as v, then rewritten as o on its way out.
template <class T> struct Strip {
  using Storage = typename T::Storage;
  Panels<Storage, T::chunk> tile;
  int column;

  // Tokens of an accumulator o^T from row `first` on.
  template <int count> RK_DEVICE void write(int first, const float (&o)[count], float scale) const {
#pragma unroll
    for (int block = 0; block < count / 8; ++block) {
      unsigned r[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        r[i] = Element<Storage>::pack(o[8 * block + 2 * i] * scale, o[8 * block + 2 * i + 1] * scale);
      store_matrix_x4_transposed(tile.transposed_place(first + 16 * block, column), r);
    }
  }
  RK_DEVICE void send(const Arguments& arguments, const ItemAt& item, long long first_token, int rows) const {
    const TensorArgument& output = arguments.output;
    const int lane = anew(lane_index()), half = lane % 2, first_column = item.value_column() + column + 8 * half;
    if (first_column >= T::value_dim) return;
    Storage* target = static_cast<Storage*>(output.data) + item.batch() * output.batch_stride +
                      (item.start() + first_token + lane / 2) * output.token_stride + item.head() * output.head_stride +
                      first_column;
    if ((arguments.flags & output_is_vectorized) != 0 && first_column + 8 <= T::value_dim) {
#pragma unroll
      for (int row = lane / 2; row < T::chunk; row += 16) {
        if (row < rows) *reinterpret_cast<Vector16*>(target) = shared_load<Vector16>(tile.at(row, column + 8 * half));
        target += 16 * output.token_stride;
      }
      return;
    }
#pragma unroll 1
    for (int row = lane / 2; row < rows; row += 16) {
#pragma unroll 1
      for (int i = 0; i < 8 && first_column + i < T::value_dim; ++i) {
        target[i] = shared_load<Storage>(tile.at(row, column + 8 * half + i));
      }
      target += 16 * output.token_stride;
    }
  }
};

// A step per key: 16 tokens. Queries are anchored at the span's end where no decay has its sign set, so that the state
// decays before it is read, else at its start.
template <class T>
RK_DEVICE void step_key_span(GroupState<T>& state, const Strip<T>& strip, int base, int span, float scale) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  constexpr int steps = 4 * T::panels, blocks = layout.key_padded / key_block;
  const int first = span * sub_chunk;
  const Panels<Operand, T::chunk> query{base + layout.query}, key{base + layout.key};
  const int decays = base + layout.decay + span * layout.key_padded * 4;
  unsigned v[4];
  load_matrix_x4_transposed(v, strip.tile.transposed_place(first, strip.column));
  float o[8];
  if constexpr (T::role != Role::states) {
    unsigned s[steps][4];
    const auto is_exact = [&](int block) {
      return as_bits(shared_load<float>(decays + block * key_block * 4)) >> 31 != 0;
    };
    const bool any_exact = any_lane(is_exact(lane_index() % blocks));
    if (!any_exact) {  // the usual case, in one straight line
#pragma unroll
      for (int block = 0; block < blocks; ++block) state.decay_block(block, decays);
    } else {
#pragma unroll
      for (int block = 0; block < blocks; ++block) {
        if (!is_exact(block)) state.decay_block(block, decays);
      }
    }
#pragma unroll
    for (int step = 0; step < steps; ++step) state.template pack<Operand>(s[step], step);
    if (any_exact) {
#pragma unroll
      for (int block = 0; block < blocks; ++block) {
        if (is_exact(block)) state.decay_block(block, decays);
      }
    }
    wgmma_fence();
    wgmma<Operand, false>(o, s[0], query.as_rows(first, 0));
#pragma unroll
    for (int step = 1; step < steps; ++step) wgmma<Operand, true>(o, s[step], query.as_rows(first, 16 * step));
#pragma unroll
    for (int part = 0; part < layout.score_parts; ++part) {
      const MatrixView<true, false, 128, 256> scores{base + layout.scores + (span * layout.score_parts + part) * 512};
      wgmma<Operand, true>(o, v, scores);
    }
    wgmma_commit();
  } else {
#pragma unroll
    for (int block = 0; block < blocks; ++block) state.decay_block(block, decays);
  }
  state.settle();
  wgmma_fence();
#pragma unroll
  for (int panel = 0; panel < T::panels; ++panel)
    wgmma<Operand, true>(state.values[panel], v, key.as_columns(first, panel));
  wgmma_commit();
  if constexpr (T::role != Role::states) {
    wgmma_wait<1>();
    wgmma_settle(o);
    strip.write(first, o, scale);
  }
  wgmma_wait<0>();
  state.settle();
}

// A step where a token's decay is one number: the whole chunk.
template <class T> RK_DEVICE void step_chunk(GroupState<T>& state, const Strip<T>& strip, int base, float scale) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  constexpr int steps = 4 * T::panels, blocks = T::chunk / 16;
  const Panels<Operand, T::chunk> query{base + layout.query}, key{base + layout.key}, scores{base + layout.scores};
  const int row_decay = base + layout.decay, column_decay = row_decay + T::chunk * 4,
            total = column_decay + T::chunk * 4;
  const int pair = lane_place().pair;
  float o[T::chunk / 2];
  unsigned s[steps][4];  // the state before the chunk
  if constexpr (T::role != Role::states) {
#pragma unroll
    for (int step = 0; step < steps; ++step) state.template pack<Operand>(s[step], step);
  }
  if constexpr (T::weighted) state.decay_all(shared_load<float>(total));
  if constexpr (T::role != Role::states) {
    wgmma_fence();
    wgmma<Operand, false>(o, s[0], query.as_rows(0, 0));
#pragma unroll
    for (int step = 1; step < steps; ++step) wgmma<Operand, true>(o, s[step], query.as_rows(0, 16 * step));
    wgmma_commit();  // kept: without weights nobody waits for this group alone
  }
  const auto load_values = [&](unsigned(&v)[blocks][4]) {
#pragma unroll
    for (int block = 0; block < blocks; ++block) {
      load_matrix_x4_transposed(v[block], strip.tile.transposed_place(16 * block, strip.column));
    }
  };
  unsigned weighted[blocks][4];
  load_values(weighted);
  if constexpr (T::weighted) {
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
  state.settle();
  wgmma_fence();
#pragma unroll
  for (int block = 0; block < blocks; ++block) {
#pragma unroll
    for (int panel = 0; panel < T::panels; ++panel) {
      wgmma<Operand, true>(state.values[panel], weighted[block], key.as_columns(16 * block, panel));
    }
  }
  wgmma_commit();  // kept: as above
  if constexpr (T::role != Role::states) {
    if constexpr (T::weighted) {
      wgmma_wait<1>();
      wgmma_settle(o);
#pragma unroll
      for (int j = 0; j < T::chunk / 8; ++j) {
        const Pair decay = shared_load<Pair>(row_decay + (8 * j + 2 * pair) * 4);
        o[4 * j] *= decay.first;
        o[4 * j + 1] *= decay.second;
        o[4 * j + 2] *= decay.first;
        o[4 * j + 3] *= decay.second;
      }
      wgmma_settle(o);
    }
    unsigned v[blocks][4];
    load_values(v);  // once more: registers are dearer
    wgmma_fence();
#pragma unroll
    for (int block = 0; block < blocks; ++block) wgmma<Operand, true>(o, v[block], scores.as_rows(0, 16 * block));
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_settle(o);
    strip.write(0, o, scale);
  } else {
    wgmma_wait<0>();
  }
  state.settle();
}

template <class T> struct StateGroup {
  GroupState<T> state;
  Ring<T> ring;

  RK_DEVICE void run(const Arguments& arguments) {
    const int warp = (thread_index() / group_threads - 2) * 4 + warp_index() % 4;
    const int column = 16 * warp;  // of the value tile
#pragma unroll 1
    for (;; ring.advance()) {
      barrier_wait(ring.ready(), ring.phase);
      {
        const Note note = Note::read(ring.note());
        if (note.item.offset == 0) return;
        if (note.first_token == 0) state.begin(arguments, note.item, column);
      }
      const int rows = Note::read(anew(ring.note())).rows;
      const int base = ring.base();
      const Strip<T> strip{{base + T::layout.value}, column};
      if constexpr (T::per_key) {
#pragma unroll 1
        for (int span = 0; span < T::spans && span * sub_chunk < rows; ++span) {
          step_key_span(state, strip, base, span, arguments.scale);
        }
      } else if (rows > 0) {
        step_chunk(state, strip, base, arguments.scale);
      }
      const Note note = Note::read(anew(ring.note()));  // once more: registers are dearer
      if constexpr (T::role != Role::states) {
        sync_warp();  // the strip holds o
        strip.send(arguments, note.item, note.first_token, note.rows);
      }
      if (note.last) state.end(arguments, note.item, column);
      barrier_arrive(ring.free());
    }
  }
};

}  // namespace rankone
