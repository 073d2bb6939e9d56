// SPDX-License-Identifier: MIT
// The state of a consumer warpgroup: 64 value columns, transposed, in float32 registers.
#pragma once

#include "device/math.cuh"
#include "device/warpgroup.cuh"
#include "hopper/range.cuh"
#include "hopper/work_items.cuh"
#include "kernels/fragment.cuh"
#include "kernels/states.cuh"

namespace rankone {

// values[key_block][4 j + 2 half + i]: key block_keys key_block + 8 j + 2 pair + i, value column 16 warp + group + 8 half.
template <class T> struct RegisterState {
  static constexpr int key_blocks = T::key_blocks;
  static constexpr int block_values = block_keys * consumer_columns / group_threads;  // of a thread in a block of keys
  float values[key_blocks][block_values];
  int unit = 0, read = 0;  // float16 alone: the state is values 2^unit, and as an operand over 2^read

  // Calls visit(value, element) for all that lie inside the state whose first element is `state`.
  template <class Visit> RK_DEVICE void for_each(long long state, int first_column, const Visit& visit) {
    constexpr int key_step = States<T, void>::key_step, column_step = States<T, void>::column_step;
    const LanePlace lane = lane_place();
    const int key = 2 * lane.pair, first = first_column + lane.group;
    const long long element =
        state + static_cast<long long>(key) * key_step + static_cast<long long>(first) * column_step;
#pragma unroll
    for (int key_block = 0; key_block < key_blocks; ++key_block) {
#pragma unroll
      for (int i = 0; i < block_values; ++i) {
        const int k = key_block * block_keys + i / 4 * 8 + i % 2, v = i / 2 % 2 * 8;
        const bool inside = (T::key_dim % block_keys == 0 || key + k < T::key_dim) &&
                            (T::value_dim % T::value_tile == 0 || first + v < T::value_dim);
        if (inside) visit(values[key_block][i], element + k * key_step + v * column_step);
      }
    }
  }
  // A segment starts from its slot and, but for the last of its sequence, leaves its state to the next one's.
  RK_DEVICE void begin(const Arguments& arguments, const WorkItemRecord& item, int column) {
#pragma unroll
    for (int i = 0; i < block_values * key_blocks; ++i) values[i / block_values][i % block_values] = 0.0f;
    if constexpr (T::range_scaled) unit = read = 0;  // an item's rounding does not depend on the one before
    if constexpr (T::keeps_states && !T::state_only) return;
    const bool split = is_split<T>(arguments);
    if (T::keeps_states && split) return;
    if constexpr (states_are_as_in_workspace<T>) {
      load(
          States<T, const void>{split ? arguments.segment_states : port<T>(arguments, T::Ports::initial_state).data,
                                arguments.value_heads},
          item, [&] { return split ? item.slot() : item.sequence(); }, column);
    } else {
      if (split)
        load(
            States<InWorkspace<T>, const void>{arguments.segment_states, arguments.value_heads}, item,
            [&] { return item.slot(); }, column);
      else
        load(
            States<T, const void>{port<T>(arguments, T::Ports::initial_state).data, arguments.value_heads}, item,
            [&] { return item.sequence(); }, column);
    }
  }
  RK_DEVICE void end(const Arguments& arguments, const WorkItemRecord& item, int column) {
    const bool kept = T::keeps_states && !keeps_for_caller<T>(arguments);
    if (T::writes_output && !item.ends()) return;
    if constexpr (states_are_as_in_workspace<T>) {
      store(
          States<T, void>{kept ? arguments.segment_states : port<T>(arguments, T::Ports::final_state).data,
                          arguments.value_heads},
          item, [&] { return kept ? item.slot() : item.sequence(); }, column);
    } else {
      if (kept)
        store(
            States<InWorkspace<T>, void>{arguments.segment_states, arguments.value_heads}, item,
            [&] { return item.slot(); }, column);
      else
        store(
            States<T, void>{port<T>(arguments, T::Ports::final_state).data, arguments.value_heads}, item,
            [&] { return item.sequence(); }, column);
    }
  }
  template <class Tensor, class Index>
  RK_DEVICE void load(const Tensor& states, const WorkItemRecord& item, const Index& index, int column) {
    if (!states.exists(index())) return;
    for_each(states.first(index(), item.head()), item.value_column() + column,
             [&](float& value, long long element) { value = states.load(element); });
  }
  template <class Tensor, class Index>
  RK_DEVICE void store(const Tensor& states, const WorkItemRecord& item, const Index& index, int column) {
    if (!states.exists(index())) return;
    if constexpr (T::range_scaled) change_unit(0);
    for_each(states.first(index(), item.head()), item.value_column() + column,
             [&](float& value, long long element) { states.store(element, value); });
  }

  // float16 alone: chooses what the state is over as an operand. Its largest element stays from 2^8 to 2^15. A value
  // column with something that is not finite has no say: its outputs are not finite either.
  RK_DEVICE void fit() {
    float largest[2] = {0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < block_values * key_blocks; ++i) {
      float& so_far = largest[i / 2 % 2];
      so_far = maximum(so_far, absolute(values[i / block_values][i % block_values]));
    }
    LargestFinite finite;
#pragma unroll
    for (int half = 0; half < 2; ++half) finite.add(largest[half]);
    const int above = finite.exponent();
    const int exponent = read - unit;
    if (above == LargestFinite::of_zero || (above - exponent > f16_least_log2 && above - exponent <= f16_most_log2))
      return;
    read = unit + clamp_exponent(above - f16_goal_log2, -scale_log2_limit - unit, scale_log2_limit - unit);
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
    const int first = decays + (block_keys * key_block / columns * T::spans * columns +
                                block_keys * key_block % columns + 2 * lane_place().pair) *
                                   4;
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
    for (int i = 0; i < block_values * key_blocks; ++i) values[i / block_values][i % block_values] *= decay;
  }
  RK_DEVICE void settle() {
#pragma unroll
    for (int key_block = 0; key_block < key_blocks; ++key_block) wgmma_settle(values[key_block]);
  }
};

}  // namespace rankone
