// SPDX-License-Identifier: MIT
// The state of a block: each warp holds all key columns of its value columns, transposed, in float32 registers.
#pragma once

#include "device/global.cuh"
#include "kernels/fragment.cuh"
#include "kernels/sequence.cuh"
#include "kernels/states.cuh"

namespace rankone {

// Only unrolled loops can index registers, and straight-line code is slow to compile. Where a product takes several
// instructions, the state is therefore worked on in groups of keys: a loop that is not unrolled works on the first
// group and rotates the state by one group. The moves cost little beside such products, but much beside those of bf16.
template <class Traits> RK_CONSTEXPR int count_key_groups() {
  const int steps = Traits::key_padded / 16;
  int most = steps;  // steps in a group
  if (sizeof(typename Traits::Operand) == 4) {
    if (Traits::split_products)
      most = 2;
    else if (Traits::decays_by_key || steps > 8)
      most = 4;
  }
  int groups = 1;
  while (steps % groups != 0 || steps / groups > most) ++groups;
  return groups;
}

// values[block][n][..]: an accumulator of m = 16 value columns by n = 8 keys. It becomes the right operand of q S in
// place, so the state never passes through shared memory.
template <class Traits> struct State {
  static constexpr int groups = count_key_groups<Traits>();
  static constexpr int group_keys = Traits::key_padded / groups;
  static constexpr int key_tiles = Traits::key_padded / 8, group_tiles = key_tiles / groups;
  float values[Traits::column_blocks][key_tiles][4];

  // Calls visit(first key) for each group in turn, with that group first; all stand as before in the end.
  template <class Visit> RK_DEVICE void for_each_group(const Visit& visit) {
    if constexpr (groups == 1) {
      visit(0);
    } else {
#pragma unroll 1
      for (int key = 0; key < Traits::key_padded; key += group_keys) {
        visit(key);
        rotate();
      }
    }
  }

  // Where the thread's first element stands in a state of the caller. The others follow at distances known to the
  // compiler, which keeps these long straight lines of accesses short.
  using Tensor = States<Traits, const void>;
  static constexpr int key_step = Tensor::key_step, column_step = Tensor::column_step;
  struct Place {
    long long element;
    int key, column;
  };
  static RK_DEVICE Place first_place(long long first, const Work& work) {
    const LanePlace lane = lane_place();
    const int key = 2 * lane.pair, column = work.value_column + warp_index() * Traits::columns + lane.group;
    return {first + key * key_step + static_cast<long long>(column) * column_step, key, column};
  }
  // Calls visit(value, distance from the first element) for all that lie inside the state.
  template <class Visit> RK_DEVICE void for_each(const Place& place, const Visit& visit) {
    for_each_group([&](int first_key) {
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
        for (int tile = 0; tile < group_tiles; ++tile) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const int key = tile * 8 + i % 2, column = block * 16 + i / 2 * 8;
            const bool inside =
                (Traits::key_dim % 16 == 0 || place.key + first_key + key < Traits::key_dim) &&
                (Traits::value_dim % Traits::value_tile == 0 || place.column + column < Traits::value_dim);
            if (inside) visit(values[block][tile][i], (first_key + key) * key_step + column * column_step);
          }
        }
      }
    });
  }

  RK_DEVICE void load_initial(const Arguments& arguments, const Work& work) {
#pragma unroll
    for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
      for (int i = 0; i < 4 * key_tiles; ++i) values[block][i / 4][i % 4] = 0.0f;
    }
    const Tensor states{port<Traits>(arguments, Traits::Ports::initial_state).data, arguments.value_heads};
    if (!states.exists(work.sequence)) return;
    const Place place = first_place(states.first(work.sequence, work.head), work);
    for_each(place, [&](float& value, int distance) { value = states.load(place.element + distance); });
  }
  RK_DEVICE void store_final(const Arguments& arguments, const Work& work) {
    const States<Traits, void> states{port<Traits>(arguments, Traits::Ports::final_state).data, arguments.value_heads};
    if (!states.exists(work.sequence)) return;
    const Place place = first_place(states.first(work.sequence, work.head), work);
    for_each(place, [&](float& value, int distance) { states.store(place.element + distance, value); });
  }

  // A slot of the workspace holds operands in the order of the registers that hold them: both sides of it are blocks
  // of the same shape, and each access is 16 bytes a lane, side by side.
  static constexpr int operand_bytes = static_cast<int>(sizeof(typename Traits::Operand));
  static constexpr int threads = Traits::state_warps * warp_size;
  static constexpr int vectors = Traits::column_blocks * Traits::key_padded * operand_bytes / 32;  // of a thread
  static constexpr int group_vectors = vectors / groups;
  static RK_DEVICE Global<Vector16> slot(const Arguments& arguments, const Work& work, long long index) {
    const long long block = (index * arguments.value_heads + work.head) * Traits::value_tiles + work.value_tile;
    if constexpr (Traits::non_causal)  // of sequences, and none before a chunk
      return global<Vector16>(arguments.prepared_chunks) + block * vectors * threads + thread_index();
    return global<Vector16>(arguments.chunk_states) + block * vectors * threads + thread_index();
  }
  RK_DEVICE void save(const Arguments& arguments, const Work& work, long long index) {
    Global<Vector16> target = slot(arguments, work, index);
    for_each_group([&](int) {
#pragma unroll
      for (int i = 0; i < group_vectors; ++i) global_store<Vector16>(target + i * threads, pack(i));
      target += group_vectors * threads;
    });
  }
  RK_DEVICE void restore(const Arguments& arguments, const Work& work, long long index) {
    Global<Vector16> source = slot(arguments, work, index);
    for_each_group([&](int) {
#pragma unroll
      for (int i = 0; i < group_vectors; ++i) unpack(i, global_load<Vector16>(source + i * threads));
      source += group_vectors * threads;
    });
  }

 private:
  RK_DEVICE void rotate() {
#pragma unroll
    for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float first[group_tiles];
#pragma unroll
        for (int tile = 0; tile < group_tiles; ++tile) first[tile] = values[block][tile][i];
#pragma unroll
        for (int tile = group_tiles; tile < key_tiles; ++tile) {
          values[block][tile - group_tiles][i] = values[block][tile][i];
        }
#pragma unroll
        for (int tile = 0; tile < group_tiles; ++tile) values[block][key_tiles - group_tiles + tile][i] = first[tile];
      }
    }
  }
  RK_DEVICE Vector16 pack(int i) const {
    Vector16 vector;
    if constexpr (operand_bytes == 2) {
      const auto& tiles = values[i / (group_tiles / 2)];
      const int tile = i % (group_tiles / 2) * 2;
#pragma unroll
      for (int j = 0; j < 4; ++j)
        vector.word[j] = pack_bf16(tiles[tile + j / 2][j % 2 * 2], tiles[tile + j / 2][j % 2 * 2 + 1]);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) vector.word[j] = as_bits(values[i / group_tiles][i % group_tiles][j]);
    }
    return vector;
  }
  RK_DEVICE void unpack(int i, const Vector16& vector) {
    if constexpr (operand_bytes == 2) {
      auto& tiles = values[i / (group_tiles / 2)];
      const int tile = i % (group_tiles / 2) * 2;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        Element<bf16>::unpack(vector.word[j], tiles[tile + j / 2][j % 2 * 2], tiles[tile + j / 2][j % 2 * 2 + 1]);
      }
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) values[i / group_tiles][i % group_tiles][j] = as_float(vector.word[j]);
    }
  }
};

}  // namespace rankone
