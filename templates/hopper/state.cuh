// SPDX-License-Identifier: MIT
// A state warpgroup: 64 value columns of the state, transposed, in float32 registers, advanced a span of tokens at a
// time. Where K is 256 and decays are per key, two warpgroups share the columns, with half of the keys each.
//
// o^T = S^T q^T + v^T P^T, then S^T = S^T decay + v^T k: the state is the left operand of the first product in place,
// so it never passes through shared memory.
#pragma once

#include "device/barrier.cuh"
#include "device/math.cuh"
#include "hopper/items.cuh"
#include "hopper/key_range.cuh"
#include "hopper/panel.cuh"
#include "hopper/share.cuh"
#include "hopper/weighted_values.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

// Which part of the state a warp has: keys from `key` on, and 16 value columns of the block's tile.
struct StatePart {
  int key, column;
};

// values[panel][4 j + 2 half + i]: key 64 panel + 8 j + 2 pair + i, value column 16 warp + group + 8 half.
template <class T> struct GroupState {
  static constexpr int panels = T::group_panels;
  float values[panels][32];
  int unit = 0, read = 0;  // float16 alone: the state is values 2^unit, and as an operand over 2^read

  // Calls visit(value, element) for all that lie inside matrix `matrix` of a tensor of states.
  template <class Visit>
  RK_DEVICE void for_each(long long matrix, int first_key, int first_column, const Visit& visit) {
    constexpr int key_step = T::value_major_state ? 1 : T::value_dim,
                  column_step = T::value_major_state ? T::key_dim : 1;
    const LanePlace lane = lane_place();
    const int key = first_key + 2 * lane.pair, first = first_column + lane.group;
    const long long element = matrix * T::key_dim * T::value_dim + static_cast<long long>(key) * key_step +
                              static_cast<long long>(first) * column_step;
#pragma unroll
    for (int panel = 0; panel < panels; ++panel) {
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
  RK_DEVICE void begin(const Arguments& arguments, const ItemAt& item, const StatePart& part) {
#pragma unroll
    for (int i = 0; i < 32 * panels; ++i) values[i / 32][i % 32] = 0.0f;
    if constexpr (T::narrow) unit = read = 0;  // an item's rounding does not depend on the one before
    if constexpr (T::role == Role::states) return;
    const bool split = is_split<T>(arguments);
    const float* const source = static_cast<const float*>(split ? arguments.chunk_states : arguments.initial_state);
    if (source == nullptr) return;
    for_each((split ? item.slot() : item.sequence()) * arguments.value_heads + item.head(), part.key,
             item.value_column() + part.column, [&](float& value, long long element) { value = source[element]; });
  }
  RK_DEVICE void end(const Arguments& arguments, const ItemAt& item, const StatePart& part) {
    float* const target = static_cast<float*>(T::role == Role::states ? arguments.chunk_states : arguments.final_state);
    if (target == nullptr || (T::role != Role::states && !item.ends())) return;
    if constexpr (T::narrow) change_unit(0);
    for_each((T::role == Role::states ? item.slot() : item.sequence()) * arguments.value_heads + item.head(), part.key,
             item.value_column() + part.column, [&](float& value, long long element) { target[element] = value; });
  }

  // As a left operand, 16 keys a step.
  template <class Operand, int steps> RK_DEVICE void pack(unsigned (&a)[steps][4]) {
    if constexpr (T::narrow) {
      const auto pack_scaled = [&](float factor, LargestPacked& largest) {
#pragma unroll
        for (int i = 0; i < 4 * steps; ++i) {
          const float* const c = values[i / 16] + i % 16 * 2;
          a[i / 4][i % 4] = Element<Operand>::pack(c[0] * factor, c[1] * factor);
          largest.add(a[i / 4][i % 4]);
        }
      };
      const auto each = [&](LargestFinite& largest) {
#pragma unroll
        for (int i = 0; i < 8 * steps; ++i) largest.add(values[i / 32][i % 32]);
      };
      int exponent = read - unit;
      pack_in_range(exponent, -farthest_scale - unit, farthest_scale - unit, pack_scaled, each);
      read = unit + exponent;
    } else {
#pragma unroll
      for (int step = 0; step < steps; ++step) {
        const float* const c = values[step / 4] + step % 4 * 8;
        a[step][0] = Element<Operand>::pack(c[0], c[1]);
        a[step][1] = Element<Operand>::pack(c[2], c[3]);
        a[step][2] = Element<Operand>::pack(c[4], c[5]);
        a[step][3] = Element<Operand>::pack(c[6], c[7]);
      }
    }
  }
  RK_DEVICE void change_unit(int to) {
    if (unit == to) return;
    decay_all(power_of_two(unit - to));
    unit = to;
  }
  // Where a block's decays stand after those of the first one.
  static RK_DEVICE int decay_place(int block) {
    constexpr int columns = T::layout.own_columns;
    const int column = block * key_block;
    return (column / columns * T::spans * columns + column % columns) * 4;
  }
  // Multiplies a block's keys by their decays.
  RK_DEVICE void decay_block(int block, int decays) {
    const int first = decays + decay_place(block) + 2 * lane_place().pair * 4;
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
    for (int i = 0; i < 32 * panels; ++i) values[i / 32][i % 32] *= decay;
  }
  RK_DEVICE void settle() {
#pragma unroll
    for (int panel = 0; panel < panels; ++panel) wgmma_settle(values[panel]);
  }
};

// The strip of 16 value columns that is one warp's own: read as v, then rewritten as o on its way out.
template <class T> struct Strip {
  using Storage = typename T::Storage;
  Panels<Storage, T::chunk> tile;
  int column;

  // Tokens of an accumulator o^T from row `first` on.
  // scale_of(block) is that of 16 tokens.
  template <int count, class Scale>
  RK_DEVICE void write(int first, const float (&o)[count], const Scale& scale_of) const {
#pragma unroll
    for (int block = 0; block < count / 8; ++block) {
      const float scale = scale_of(block);
      unsigned r[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        r[i] = Element<Storage>::pack(o[8 * block + 2 * i] * scale, o[8 * block + 2 * i + 1] * scale);
      store_matrix_x4_transposed(tile.transposed_place(first + 16 * block, column), r);
    }
  }
  // Every `parts`-th span from `part` on.
  template <int parts>
  RK_DEVICE void send(const Arguments& arguments, const ItemAt& item, long long first_token, int rows, int part) const {
    const TensorArgument& output = arguments.output;
    const int lane = anew(lane_index()), half = lane % 2, first_row = lane / 2 + sub_chunk * part,
              first_column = item.value_column() + column + 8 * half;
    if (first_column >= T::value_dim) return;
    Storage* target = static_cast<Storage*>(output.data) + item.batch() * output.batch_stride +
                      (item.start() + first_token + first_row) * output.token_stride +
                      item.head() * output.head_stride + first_column;
    if ((arguments.flags & output_is_vectorized) != 0 && first_column + 8 <= T::value_dim) {
#pragma unroll
      for (int turn = 0; turn < T::chunk / 16 / parts; ++turn) {
        const int row = first_row + turn * 16 * parts;
        if (row < rows) *reinterpret_cast<Vector16*>(target) = shared_load<Vector16>(tile.at(row, column + 8 * half));
        target += 16 * parts * output.token_stride;
      }
      return;
    }
#pragma unroll 1
    for (int row = first_row; row < rows; row += 16 * parts) {
#pragma unroll 1
      for (int i = 0; i < 8 && first_column + i < T::value_dim; ++i) {
        target[i] = shared_load<Storage>(tile.at(row, column + 8 * half + i));
      }
      target += 16 * parts * output.token_stride;
    }
  }
};

// Which of the warpgroups that share the keys writes a span's output.
template <class T> RK_DEVICE bool takes(const StatePart& part, int span) {
  return span % T::layout.key_groups == part.key / (64 * T::group_panels);
}
// Adds up the outputs of a span in the warpgroup that writes them; false for the other. They take turns, so that a
// thread writes to its place only what it has read there before.
template <class T> RK_DEVICE bool take_halves(float (&o)[8], const StatePart& part, int span) {
  const int group = part.column / 64;
  const int place = T::layout.halves + (group * 2 * group_threads + thread_index() % group_threads) * 16;
  const bool taking = takes<T>(part, span);
  if (!taking) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const Vector16 four{{as_bits(o[4 * i]), as_bits(o[4 * i + 1]), as_bits(o[4 * i + 2]), as_bits(o[4 * i + 3])}};
      shared_store<Vector16>(place + i * group_threads * 16, four);
    }
  }
  sync_threads(state_barrier + group, 2 * group_threads);
  if (taking) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const Vector16 four = shared_load<Vector16>(place + i * group_threads * 16);
#pragma unroll
      for (int j = 0; j < 4; ++j) o[4 * i + j] += as_float(four.word[j]);
    }
  }
  return taking;
}

// A step per key: 16 tokens. Queries are anchored at the span's end where no decay has its sign set, so that the state
// decays before it is read, else at its start.
template <class T>
RK_DEVICE void step_key_span(GroupState<T>& state, const StatePart& part, const Strip<T>& strip, int base, int span,
                             float scale) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  constexpr int panels = T::group_panels, steps = 4 * panels, blocks = 64 * panels / key_block;
  const int first = span * sub_chunk, first_panel = part.key / 64 * Panels<Operand, T::chunk>::bytes;
  const Panels<Operand, T::chunk> query{base + layout.query + first_panel}, key{base + layout.key + first_panel};
  const int decays = base + layout.decay + span * layout.own_columns * 4 +
                     part.key / (64 * panels) * GroupState<T>::decay_place(blocks);
  unsigned v[4];
  load_matrix_x4_transposed(v, strip.tile.transposed_place(first, strip.column));
  const int range = base + layout.range + span * 16;
  if constexpr (T::narrow) state.change_unit(shared_load<int>(range + 4));
  float o[8], p[8];  // in float16 p is the scores' part, in units of its own
  if constexpr (T::role != Role::states) {
    unsigned s[steps][4];
    const auto is_exact = [&](int block) {
      return as_bits(shared_load<float>(decays + GroupState<T>::decay_place(block))) >> 31 != 0;
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
    state.template pack<Operand>(s);
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
    // Parts of the scores, shared as the keys are.
    constexpr int of_owner = layout.score_parts, parts = T::key_owners * of_owner / layout.key_groups;
    const auto score_place = [](int index) {
      return (index / of_owner * T::spans * of_owner + index % of_owner) * 512;
    };
    const int scores = base + layout.scores + span * of_owner * 512 + part.key / (64 * panels) * score_place(parts);
    using Scores = MatrixView<true, false, 128, 256>;
    float(&scored)[8] = T::narrow ? p : o;
    wgmma<Operand, !T::narrow>(scored, v, Scores{scores, score_place(0)});
#pragma unroll
    for (int index = 1; index < parts; ++index) wgmma<Operand, true>(scored, v, Scores{scores, score_place(index)});
    wgmma_commit();
  } else {
#pragma unroll
    for (int block = 0; block < blocks; ++block) state.decay_block(block, decays);
  }
  state.settle();
  wgmma_fence();
#pragma unroll
  for (int panel = 0; panel < panels; ++panel)
    wgmma<Operand, true>(state.values[panel], v, key.as_columns(first, panel));
  wgmma_commit();
  if constexpr (T::role != Role::states) {
    wgmma_wait<1>();
    wgmma_settle(o);
    if constexpr (T::narrow) {
      wgmma_settle(p);
      const float factor = SpanRange<T>::part_factor(state.read - state.unit);
#pragma unroll
      for (int i = 0; i < 8; ++i) o[i] = o[i] * factor + p[i];
      scale *= shared_load<float>(range);
    }
    const auto scale_of = [&](int) { return scale; };
    if constexpr (layout.key_groups == 1) {
      strip.write(first, o, scale_of);
    } else if (take_halves<T>(o, part, span)) {
      strip.write(first, o, scale_of);
    }
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
  if constexpr (T::role != Role::states) state.template pack<Operand>(s);
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
  if constexpr (T::weighted && T::narrow) {
    int unit = state.unit;
    WeightedValues<T>{strip.tile, strip.column, column_decay}.pack(weighted, unit);
    state.change_unit(unit);
  } else {
    load_values(weighted);
  }
  if constexpr (T::weighted && !T::narrow) {
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
    if constexpr (T::weighted || T::narrow) {
      wgmma_wait<1>();
      wgmma_settle(o);
      [[maybe_unused]] const float read_scale = power_of_two(state.read);  // in float16
#pragma unroll
      for (int j = 0; j < T::chunk / 8; ++j) {
        Pair decay = shared_load<Pair>(row_decay + (8 * j + 2 * pair) * 4);
        if constexpr (T::narrow) decay = {decay.first * read_scale, decay.second * read_scale};
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
    strip.write(0, o, [&](int block) {
      if constexpr (T::narrow) return scale * shared_load<float>(base + layout.range + block * 16);
      return scale;
    });
  } else {
    wgmma_wait<0>();
  }
  state.settle();
}

template <class T> struct StateGroup {
  GroupState<T> state;
  Ring<T> ring;

  RK_DEVICE void run(const Arguments& arguments) {
    constexpr int key_groups = T::layout.key_groups;
    const int group = thread_index() / group_threads - 1 - T::layout.helper_groups;
    const StatePart part{group % key_groups * 64 * T::group_panels,
                         64 * (group / key_groups) + 16 * (warp_index() % 4)};
#pragma unroll 1
    for (;; ring.advance()) {
      barrier_wait(ring.ready(), ring.phase);
      {
        const Note note = Note::read(ring.note());
        if (note.item.offset == 0) return;
        if (note.first_token == 0) state.begin(arguments, note.item, part);
      }
      const int rows = Note::read(anew(ring.note())).rows;
      const int base = ring.base();
      const Strip<T> strip{{base + T::layout.value}, part.column};
      if constexpr (T::per_key) {
#pragma unroll 1
        for (int span = 0; span < T::spans && span * sub_chunk < rows; ++span) {
          step_key_span(state, part, strip, base, span, arguments.scale);
        }
        // The next item begins with the first turn again: after an odd number of spans that place must have been read.
        if constexpr (key_groups > 1 && T::role != Role::states) {
          if ((rows + sub_chunk - 1) / sub_chunk % 2 != 0)
            sync_threads(state_barrier + part.column / 64, 2 * group_threads);  // kept: one item needs no such meeting
        }
      } else if (rows > 0) {
        step_chunk(state, strip, base, arguments.scale);
      }
      const Note note = Note::read(anew(ring.note()));  // once more: registers are dearer
      if constexpr (T::role != Role::states) {
        sync_warp();  // the strip holds o
        strip.template send<key_groups>(arguments, note.item, note.first_token, note.rows, group % key_groups);
      }
      if (note.last) state.end(arguments, note.item, part);
      barrier_arrive(ring.free());
      if constexpr (T::cluster > 1) {  // for the others a lane will do
        sync_warp();  // kept: but for the state-only role all that others write was read before the strip's meeting
        if (lane_index() < T::cluster && lane_index() != block_rank()) barrier_arrive_at(ring.free(), lane_index());
      }
    }
  }
};

}  // namespace rankone
