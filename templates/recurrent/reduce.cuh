// SPDX-License-Identifier: MIT
// Of the recurrent family's backward pass: sums of what its blocks left in the workspace, in one order whatever the launch,
// become gradients of the caller's types.
#pragma once

#include "recurrent/order.cuh"
#include "recurrent/slopes.cuh"

namespace rankone {

// The value heads that a tensor's head is for, and how many heads it has.
struct HeadGroup {
  int heads, members;
};
template <class Policy> RK_DEVICE HeadGroup head_group(const Arguments& arguments, unsigned axes) {
  const int heads = has_axis(axes, value_head_axis)   ? arguments.value_heads
                    : has_axis(axes, query_head_axis) ? arguments.heads
                                                      : 1;
  return {heads, arguments.value_heads / heads};
}

// A token of a tensor, and where its slopes stand.
struct TokenRow {
  long long slopes, batch, token;
};

// Adds what the value tiles have of one element. `first`: where the slopes of a token or a sequence begin.
template <class T>
RK_DEVICE float add_tiles(float sum, Global<const float> slopes, long long first, SlopePart part, int column) {
  const int tiles = part.tile_stride != 0 ? T::value_tiles : 1;
  for (int tile = 0; tile < tiles; ++tile)
    sum += global_load<float>(slopes + (first + part.place + tile * part.tile_stride + column));
  return sum;
}

// One row of a tensor, of a token or of one of its `steps`: over value tiles, and over the value heads that share its head.
// `Other`: the pass of a chain that reads it, too, and has `others` of it; or the same one.
template <class T, class Type, class Other>
RK_DEVICE void reduce_row(const Arguments& arguments, const TokenRow& at, int step, int steps, SlopePart part,
                          unsigned axes, int gradient, SlopePart others) {
  const TensorArgument& to = port<T>(arguments, gradient);
  const HeadGroup group = head_group<T>(arguments, axes);
  const long long row = at.slopes * T::token_steps + step;
  const Global<Type> first =
      global<Type>(to.data) + (at.batch * to.batch_stride + (at.token * steps + step) * to.token_stride);
  const Global<const float> slopes = global<const float>(arguments.token_slopes);
  const long long elements = static_cast<long long>(group.heads) * part.width;
  for (long long element = thread_index(); element < elements; element += reduce_threads) {
    const int head = static_cast<int>(element / part.width), column = static_cast<int>(element % part.width);
    float sum = 0.0f;
    for (int member = 0; member < group.members; ++member) {
      const long long place = row * arguments.value_heads + head * group.members + member;
      sum = add_tiles<T>(sum, slopes, place * T::slopes.token_floats, part, column);
      if (others.width > 0) sum = add_tiles<Other>(sum, slopes, place * T::slopes.token_floats, others, column);
    }
    global_store<Type>(first + (head * to.head_stride + column), Element<Type>::from(sum));
  }
}

// All rows of a tensor that a token has: one, or one for each step.
template <class T, class Type, bool of_steps = false, class Other = T>
RK_DEVICE void reduce_token(const Arguments& arguments, const TokenRow& row, SlopePart part, unsigned axes,
                            int gradient, SlopePart others = {}) {
  if (port<T>(arguments, gradient).data == nullptr) return;
  constexpr int steps = of_steps ? T::token_steps : 1;
  for (int step = 0; step < steps; ++step)
    reduce_row<T, Type, Other>(arguments, row, step, steps, part, axes, gradient, others);
}

template <class T, int input = 0> RK_DEVICE void reduce_inputs(const Arguments& arguments, const TokenRow& row) {
  if constexpr (input < T::input_count) {
    constexpr SlopePart part = T::slopes.inputs[input];
    constexpr unsigned axes = T::input_axes[input];
    using Type = typename TypeOf<T::input_types[input]>::Type;
    if constexpr (fetches_input<T>(input))
      reduce_token<T, Type, is_of_steps<T>(input)>(arguments, row, part, axes, T::Ports::first_input_gradient + input);
    reduce_inputs<T, input + 1>(arguments, row);
  }
}
// Places before the first packed sequence and behind the last one are nobody's: no block has written their slopes.
template <class T> RK_DEVICE bool is_in_a_sequence(const Arguments& arguments, long long row) {
  if (!is_packed<T>(arguments)) return true;
  return row >= sequence_offset<T>(arguments, 0) && row < sequence_offset<T>(arguments, arguments.sequences);
}
// Of q, k and token inputs.
template <class Policy> RK_DEVICE void reduce_token_gradients(const Arguments& arguments) {
  using T = BackwardTraits<Policy>;
  using Storage = typename T::Storage;
  constexpr SlopePart query = T::slopes.query, key = T::slopes.key;
  const long long rows = rows_of_batch<T>(arguments) * arguments.tokens;
  for (int i = 0; i < reduce_tokens; ++i) {
    const long long row = block_index() * reduce_tokens + i;
    if (row >= rows) return;
    if (!is_in_a_sequence<T>(arguments, row)) continue;
    const TokenRow token{row, row / arguments.tokens, token_at<T>(arguments, row % arguments.tokens)};
    if constexpr (T::reads_query) reduce_token<T, Storage>(arguments, token, query, query_head_axis, T::Ports::dq);
    if constexpr (T::reads_key) reduce_token<T, Storage, true>(arguments, token, key, query_head_axis, T::Ports::dk);
    reduce_inputs<T>(arguments, token);
  }
}

// One parameter: over sequences, value tiles, and heads that it lacks; a warp for each element.
template <class T, class Other = T>
RK_DEVICE void reduce_parameter(const Arguments& arguments, SlopePart part, unsigned axes, int gradient,
                                SlopePart others = {}) {
  void* const to = port<T>(arguments, gradient).data;
  if (to == nullptr) return;
  const HeadGroup group = head_group<T>(arguments, axes);
  const int own = part.tile_stride != 0 ? T::value_tiles : 1, more = others.tile_stride != 0 ? Other::value_tiles : 1,
            tiles = own + (others.width > 0 ? more : 0);
  const long long elements = static_cast<long long>(group.heads) * part.width, warps = reduce_threads / warp_size;
  const long long terms = arguments.sequences * group.members * tiles;
  const Global<const float> slopes = global<const float>(arguments.parameter_slopes);
  for (long long element = block_index() * warps + warp_index(); element < elements; element += block_total() * warps) {
    const int head = static_cast<int>(element / part.width), column = static_cast<int>(element % part.width);
    LongSum sum;
    for (long long term = lane_index(); term < terms; term += warp_size) {
      const int tile = static_cast<int>(term % tiles), member = static_cast<int>(term / tiles % group.members);
      const long long place = term / tiles / group.members * arguments.value_heads + head * group.members + member;
      const int at = tile < own ? part.place + tile * part.tile_stride : others.place + (tile - own) * others.tile_stride;
      sum.add(global_load<float>(slopes + (place * T::slopes.sequence_floats + at + column)));
    }
    const float total = sum_over_warp(sum.total());
    if (lane_index() == 0) global_store<float>(global<float>(to) + element, total);
  }
}

template <class T, int index = 0> RK_DEVICE void reduce_parameters(const Arguments& arguments) {
  if constexpr (index < T::parameter_count) {
    constexpr SlopePart part = T::slopes.parameters[index];
    constexpr unsigned axes = T::parameter_axes[index];
    reduce_parameter<T>(arguments, part, axes, T::Ports::first_parameter_gradient + index);
    reduce_parameters<T, index + 1>(arguments);
  }
}
// Of a row of keys that is carried beside the initial state: over value tiles.
template <class T, class Other = T>
RK_DEVICE void reduce_carried(const Arguments& arguments, SlopePart part, int gradient, SlopePart others = {}) {
  void* const to = port<T>(arguments, gradient).data;
  if (to == nullptr) return;
  const Global<const float> slopes = global<const float>(arguments.parameter_slopes);
  const long long elements = arguments.sequences * arguments.value_heads * part.width;
  for (long long element = block_index() * reduce_threads + thread_index(); element < elements;
       element += block_total() * reduce_threads) {
    const long long first = element / part.width * T::slopes.sequence_floats;
    const int column = static_cast<int>(element % part.width);
    float sum = add_tiles<T>(0.0f, slopes, first, part, column);
    if (others.width > 0) sum = add_tiles<Other>(sum, slopes, first, others, column);
    global_store<float>(global<float>(to) + element, sum);
  }
}
template <class Policy> RK_DEVICE void reduce_parameter_gradients(const Arguments& arguments) {
  using T = BackwardTraits<Policy>;
  reduce_parameters<T>(arguments);
  constexpr SlopePart sum = T::slopes.sum, scan = T::slopes.scan, last_key = T::slopes.last_key;
  if constexpr (T::has_normaliser) reduce_carried<T>(arguments, sum, T::Ports::dinitial_state_sum);
  if constexpr (T::has_scan) reduce_carried<T>(arguments, scan, T::Ports::dinitial_state_scan);
  if constexpr (T::has_lagged_scale) reduce_carried<T>(arguments, last_key, T::Ports::dinitial_state_key);
}

}  // namespace rankone
