// SPDX-License-Identifier: MIT
// Of the backward pass in chunks: sums of what value heads and chunks left in the workspace, in one order whatever the
// launch, become gradients of the caller's types.
#pragma once

#include "kernels/backward_policy.cuh"
#include "recurrent/reduce.cuh"

namespace rankone {

template <class T, int input = 0> RK_DEVICE void sum_shared_inputs(const Arguments& arguments, const TokenRow& row) {
  if constexpr (input < T::input_count) {
    constexpr SlopePart part = T::slopes.inputs[input];
    constexpr unsigned axes = T::input_axes[input];
    using Type = typename TypeOf<T::input_types[input]>::Type;
    if constexpr (part.width > 0) {
      if (head_group<T>(arguments, axes).members > 1)
        reduce_token<T, Type>(arguments, row, part, axes, T::Ports::first_input_gradient + input);
    }
    sum_shared_inputs<T, input + 1>(arguments, row);
  }
}
// Of q, k and token inputs that value heads share.
template <class Policy> RK_DEVICE void sum_token_gradients(const Arguments& arguments) {
  using T = BackwardChunks<Policy>;
  using Storage = typename T::Storage;
  constexpr SlopePart query = T::slopes.query, key = T::slopes.key;
  const long long rows = rows_of_batch<T>(arguments) * arguments.tokens;
  for (int i = 0; i < reduce_tokens; ++i) {
    const long long row = block_index() * reduce_tokens + i;
    if (row >= rows) return;
    if (!is_in_a_sequence<T>(arguments, row)) continue;
    const TokenRow token{row, row / arguments.tokens, row % arguments.tokens};
    if (arguments.heads != arguments.value_heads) {
      reduce_token<T, Storage>(arguments, token, query, query_head_axis, T::Ports::dq);
      if constexpr (T::reads_key) reduce_token<T, Storage>(arguments, token, key, query_head_axis, T::Ports::dk);
    }
    sum_shared_inputs<T>(arguments, token);
  }
}

// One parameter: over slots of chunks, their warps, and heads that it lacks; a warp for each element.
template <class T>
RK_DEVICE void sum_parameter(const Arguments& arguments, long long slots, SlopePart part, unsigned axes, int gradient) {
  void* const to = port<T>(arguments, gradient).data;
  if (to == nullptr) return;
  const HeadGroup group = head_group<T>(arguments, axes);
  const long long elements = static_cast<long long>(group.heads) * part.width, warps = reduce_threads / warp_size,
                  terms = slots * group.members * T::warps;
  const Global<const float> slopes = global<const float>(arguments.parameter_slopes);
  for (long long element = block_index() * warps + warp_index(); element < elements; element += block_total() * warps) {
    const int head = static_cast<int>(element / part.width), column = static_cast<int>(element % part.width);
    LongSum sum;
    for (long long term = lane_index(); term < terms; term += warp_size) {
      const int warp = static_cast<int>(term % T::warps), member = static_cast<int>(term / T::warps % group.members);
      const long long slot = term / T::warps / group.members,
                      place = (slot * arguments.value_heads + head * group.members + member) * T::warps + warp;
      sum.add(global_load<float>(slopes + (place * T::slopes.sequence_floats + part.place + column)));
    }
    const float total = sum_over_warp(sum.total());
    if (lane_index() == 0) global_store<float>(global<float>(to) + element, total);
  }
}
template <class T, int index = 0> RK_DEVICE void sum_parameters(const Arguments& arguments, long long slots) {
  if constexpr (index < T::parameter_count) {
    constexpr SlopePart part = T::slopes.parameters[index];
    constexpr unsigned axes = T::parameter_axes[index];
    sum_parameter<T>(arguments, slots, part, axes, T::Ports::first_parameter_gradient + index);
    sum_parameters<T, index + 1>(arguments, slots);
  }
}
template <class Policy> RK_DEVICE void sum_parameter_gradients(const Arguments& arguments) {
  using T = BackwardChunks<Policy>;
  const long long pieces = (arguments.tokens + T::chunk - 1) / T::chunk;
  sum_parameters<T>(arguments, is_packed<T>(arguments) ? pieces + arguments.sequences : pieces * arguments.sequences);
}

}  // namespace rankone
