// SPDX-License-Identifier: MIT
// Log-decays of half a span, 16 tokens, by 16 key columns, as the right operand of a warp's products: their sums over
// tokens are products with matrices of ones, and come out where the rows of q and k lie as operands.
#pragma once

#include "hopper/gates.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

// Rounded, and what rounding takes away.
template <class Operand> RK_DEVICE void split(float first, float second, unsigned& high, unsigned& low) {
  high = Element<Operand>::pack(first, second);
  float a, b;
  Element<Operand>::unpack(high, a, b);
  low = Element<Operand>::pack(first - a, second - b);
}

// Ones where wanted(row, token), as a left operand of 16 rows.
template <class Wanted> RK_DEVICE Quad<bf16> ones_where(const Wanted& wanted) {
  const LanePlace lane = lane_place();
  Quad<bf16> ones;
#pragma unroll
  for (int word = 0; word < 4; ++word) {
    const int row = lane.group + word % 2 * 8, token = word / 2 * 8 + 2 * lane.pair;
    ones.r[word] =
        (wanted(row, token) ? Element<bf16>::one : 0u) | (wanted(row, token + 1) ? Element<bf16>::one << 16 : 0u);
  }
  return ones;
}

// Ones where an element has its bit, two elements a word.
RK_DEVICE Quad<bf16> ones_of(unsigned bits) {
  Quad<bf16> ones;
#pragma unroll
  for (int word = 0; word < 4; ++word)
    ones.r[word] =
        (bits >> 2 * word & 1u) * Element<bf16>::one | (bits >> (2 * word + 1) & 1u) * (Element<bf16>::one << 16);
  return ones;
}

// What an expression reads at an element of a right operand: staged 16-bit inputs arrive eight to a lane.
template <class T> struct StepInputs {
  unsigned words[T::input_count > 0 ? T::input_count : 1][4];

  template <int index> static RK_CONSTEXPR bool held() {
    return has_axis(T::input_axes[index], key_axis) && bytes_of(T::input_types[index]) == 2;
  }
  template <int index = 0> RK_DEVICE void load(int place) {  // of the lane in a tile that starts at zero
    if constexpr (index < T::input_count) {
      if constexpr (held<index>()) {
        constexpr int offset = T::layout.inputs[index];
        load_matrix_x4_transposed(words[index], offset + place);
      }
      load<index + 1>(place);
    }
  }
};
template <class T> struct StepAt : StageAt<T> {
  const StepInputs<T>& inputs;
  int element;  // of the lane's eight
  RK_DEVICE StepAt(const StageAt<T>& at, const StepInputs<T>& held, int e) : StageAt<T>(at), inputs(held), element(e) {}
  template <int index> RK_DEVICE float input() const {
    if constexpr (StepInputs<T>::template held<index>()) {
      float pair[2];
      Element<typename TypeOf<T::input_types[index]>::Type>::unpack(inputs.words[index][element / 2], pair[0], pair[1]);
      return pair[element % 2];
    } else {
      return StageAt<T>::template input<index>();
    }
  }
};

struct KeySteps {
  Quad<bf16> high, low;  // to base 2; together 16 digits

  // Of eight tokens of which `rows` exist, the bits of a word that holds the lane's two.
  static RK_DEVICE unsigned token_mask_of(int rows) {
    const int left = rows - 2 * lane_place().pair;
    return left > 1 ? ~0u : left == 1 ? 0xffffu : 0u;
  }
  // Beyond a sequence formulas may give anything, and is dropped: `token_mask` has its bits for tokens 0 to 7 and 8 to 15.
  template <class T, class Gate>
  RK_DEVICE void evaluate(const StagePlace<T>& place, int lane_place_of_inputs, int first_row, int first_column,
                          const unsigned (&token_mask)[2]) {
    const LanePlace lane = lane_place();
    StepInputs<T> inputs;
    inputs.load(lane_place_of_inputs);
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      float steps[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int row = first_row + word / 2 * 8 + 2 * lane.pair + i, column = first_column + word % 2 * 8 + lane.group;
        const float log_decay = Gate::log_decay(StepAt<T>(place.at(row, column), inputs, 2 * word + i));
        steps[i] = log2_decay(log_decay);
        if constexpr (T::key_dim % block_keys != 0) steps[i] = column < T::key_dim ? steps[i] : 0.0f;
      }
      split<bf16>(steps[0], steps[1], high.r[word], low.r[word]);
      high.r[word] &= token_mask[word / 2];
      low.r[word] &= token_mask[word / 2];
    }
  }
  // Sums over tokens, as an accumulator: of 16 rows, columns 0 to 7 and 8 to 15.
  RK_DEVICE void sum(float (&sums)[2][4], const Quad<bf16>& wanted) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[half][i] = 0.0f;
      multiply<false>(sums[half], wanted, low, half);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) multiply<false>(sums[half], wanted, high, half);
  }
};

}  // namespace rankone
