// SPDX-License-Identifier: MIT
// Decays of a warp's 16 value columns over a span of 32 tokens. A lane evaluates them where it holds values as a left
// operand, which is where it holds outputs as an accumulator, too; so their sums over tokens meet both.
#pragma once

#include "hopper/column_layout.cuh"
#include "hopper/gates.cuh"
#include "kernels/fragment.cuh"
#include "kernels/read.cuh"

namespace rankone {

// A lane's elements of a span: tokens 8 j + 2 pair + i of columns group + 8 half, at 4 j + 2 half + i.
inline constexpr int span_elements = column_span / 2;

// A stage as formulas of value columns see it.
template <class T> struct ColumnPlace : StagePlace<T> {
  using StagePlace<T>::StagePlace;
  RK_DEVICE At<T, ColumnPlace> at(int row, int column) const { return {*this, row, column}; }
  RK_DEVICE bool has_value(int column) const {
    return T::value_dim % T::value_tile == 0 || this->item.value_column() + column < T::value_dim;
  }
  RK_DEVICE int value_of(int column) const {
    return has_value(column) ? this->item.value_column() + column : T::value_dim - 1;
  }
  template <int index> RK_DEVICE float input(int row, int column) const {
    using Type = typename TypeOf<T::input_types[index]>::Type;
    constexpr int offset = T::layout.inputs[index];
    if constexpr (has_axis(T::input_axes[index], value_axis))
      return SwizzledTile<Type, T::chunk>{this->base + offset}.load(row, column);
    else
      return shared_load<float>(this->base + offset + row * 4);
  }
};

// Staged 16-bit inputs of 16 tokens arrive eight to a lane, as values do.
template <class T> struct ColumnInputs {
  unsigned words[T::input_count > 0 ? T::input_count : 1][4];

  template <int index> static RK_CONSTEXPR bool held() {
    return has_axis(T::input_axes[index], value_axis) && bytes_of(T::input_types[index]) == 2;
  }
  template <int index = 0> RK_DEVICE void load(int base, int row, int column) {
    if constexpr (index < T::input_count) {
      if constexpr (held<index>()) {
        constexpr int offset = T::layout.inputs[index];
        load_matrix_x4_transposed(words[index],
                                  SwizzledTile<bf16, T::chunk>{base + offset}.transposed_place(row, column));
      }
      load<index + 1>(base, row, column);
    }
  }
};
template <class T> struct ColumnAt : At<T, ColumnPlace<T>> {
  const ColumnInputs<T>& inputs;
  int element;  // of the lane's eight
  RK_DEVICE ColumnAt(const At<T, ColumnPlace<T>>& at, const ColumnInputs<T>& held, int e)
      : At<T, ColumnPlace<T>>(at), inputs(held), element(e) {}
  template <int index> RK_DEVICE float input() const {
    if constexpr (ColumnInputs<T>::template held<index>()) {
      float pair[2];
      Element<typename TypeOf<T::input_types[index]>::Type>::unpack(inputs.words[index][element / 2], pair[0], pair[1]);
      return pair[element % 2];
    } else {
      return At<T, ColumnPlace<T>>::template input<index>();
    }
  }
};

// Base-2 logarithms of what a column's state has lost since the span's start.
template <class T, class Gate> struct ColumnDecays {
  float until[span_elements];  // behind each token
  float whole[2];              // behind the span

  RK_DEVICE ColumnDecays(const ColumnPlace<T>& place, int first_row, int first_column) {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int block = 0; block < column_span / sub_chunk; ++block) {
      const int row = first_row + sub_chunk * block;
      ColumnInputs<T> inputs;
      inputs.load(place.base, row, first_column);
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const int token = row + e / 4 * 8 + 2 * lane.pair + e % 2, column = first_column + e / 2 % 2 * 8 + lane.group;
        const float log_decay = Gate::log_decay_of_column(ColumnAt<T>(place.at(token, column), inputs, e));
        // Beyond a sequence, or beyond V, formulas may give anything.
        until[8 * block + e] = token < place.rows && place.has_value(column) ? log2_decay(log_decay) : 0.0f;
      }
    }
    sum_up();
  }
  // Whether outputs might leave float32 if they met values at the span's start. Warp-wide.
  RK_DEVICE bool is_beyond_anchor() const {
    bool beyond = false;
#pragma unroll
    for (int half = 0; half < 2; ++half)  // also where a token's is not finite
      beyond = beyond || !(absolute(whole[half]) <= static_cast<float>(column_anchor_log2_limit));
    return any_lane(beyond);
  }
  // Of what a query reads. Warp-wide. `block`: of 16 tokens, that the first half holds.
  RK_DEVICE float until_read(int element, int block = 0) const {
    if constexpr (!T::reads_earlier) return until[element];
    if (element % 2 != 0) return until[element - 1];
    // Another lane has the token before, of the first lane's the last one, of the tokens before.
    const LanePlace lane = lane_place_again();
    const float of_first = element >= 4 ? until[element - 3] : block == 0 ? 0.0f : until[element - 3 + span_elements];
    return shuffle(lane.pair == 3 ? of_first : until[element + 1], lane_at(lane.group, (lane.pair + 3) % 4));
  }

 private:
  // From steps: four lanes have eight tokens of a column together.
  RK_DEVICE void sum_up() {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float so_far = 0.0f;
#pragma unroll
      for (int j = 0; j < column_span / 8; ++j) {
        float* const two = until + 4 * j + 2 * half;
        const float both = two[0] + two[1];
        float earlier = shuffle_up(both, 1);
        if (lane.pair == 0) earlier = 0.0f;
        const float next = shuffle_up(earlier, 1);
        if (lane.pair >= 1) earlier += next;
        const float third = shuffle_up(earlier, 2);
        if (lane.pair >= 2) earlier += third;
        earlier += so_far;
        two[0] += earlier;
        two[1] = earlier + both;
        so_far = shuffle(two[1], lane_at(lane.group, 3));
      }
      whole[half] = so_far;
    }
  }
};

}  // namespace rankone
