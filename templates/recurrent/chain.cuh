// SPDX-License-Identifier: MIT
// The two passes of a chain in one text, each with a policy and formulas of its own. What the first one reads of each
// token waits in the workspace, in float32, as an input of the second; its slope comes back the same way.
#pragma once

#include "recurrent/backward.cuh"
#include "recurrent/checkpoints.cuh"
#include "recurrent/decode.cuh"
#include "recurrent/forward.cuh"
#include "recurrent/reduce.cuh"

namespace rankone {

// Backward, what the first pass has read: as the forward pass has it, without what a call goes on from.
template <class Policy, class Gate> RK_DEVICE void recurrent_pass_on(const Arguments& arguments) {
  walk_for_reads<RecurrentTraits<Policy>, Gate>(arguments);
}

// Calls reduce(row) for the tokens of a block.
template <class T, class Reduce> RK_DEVICE void for_each_token_row(const Arguments& arguments, const Reduce& reduce) {
  const long long rows = rows_of_batch<T>(arguments) * arguments.tokens;
  for (int i = 0; i < reduce_tokens; ++i) {
    const long long row = block_index() * reduce_tokens + i;
    if (row >= rows) return;
    if (is_in_a_sequence<T>(arguments, row))
      reduce(TokenRow{row, row / arguments.tokens, token_at<T>(arguments, row % arguments.tokens)});
  }
}

// The slope of what has been passed on, the second pass's last input: the output's slope of the first.
template <class Second> RK_DEVICE void reduce_passed_gradients(const Arguments& arguments) {
  using T = BackwardTraits<Second>;
  constexpr int passed = T::input_count - 1;
  constexpr SlopePart part = T::slopes.inputs[passed];
  constexpr unsigned axes = T::input_axes[passed];
  for_each_token_row<T>(arguments, [&](const TokenRow& row) {
    reduce_token<T, float>(arguments, row, part, axes, T::Ports::first_input_gradient + passed);
  });
}

// Tensors that both passes read stand last among those of the first and first among those of the second. `index` among
// one's own is this one of the other.
template <class Own, class Other> RK_CONSTEXPR int input_of_other(int index) {
  return Own::Ports::first_input + index - Other::Ports::first_input;
}
template <class Own, class Other> RK_CONSTEXPR int parameter_of_other(int index) {
  return Own::Ports::first_parameter + index - Other::Ports::first_parameter;
}

template <class First, class Second, int input = 0>
RK_DEVICE void reduce_first_inputs(const Arguments& arguments, const TokenRow& row) {
  if constexpr (input < First::input_count) {
    constexpr int other = input_of_other<First, Second>(input), gradient = First::Ports::first_input_gradient + input;
    constexpr SlopePart part = First::slopes.inputs[input];
    constexpr unsigned axes = First::input_axes[input];
    using Type = typename TypeOf<First::input_types[input]>::Type;
    static_assert(other < Second::input_count - 1, "what has been passed on is the second pass's alone");
    if constexpr (other >= 0) {
      constexpr SlopePart others = Second::slopes.inputs[other];
      reduce_token<First, Type, false, Second>(arguments, row, part, axes, gradient, others);
    } else {
      reduce_token<First, Type>(arguments, row, part, axes, gradient);
    }
    reduce_first_inputs<First, Second, input + 1>(arguments, row);
  }
}
// Those that the first pass does not read, but for what it has passed on.
template <class First, class Second, int input = 0>
RK_DEVICE void reduce_second_inputs(const Arguments& arguments, const TokenRow& row) {
  if constexpr (input + 1 < Second::input_count) {
    constexpr SlopePart part = Second::slopes.inputs[input];
    constexpr unsigned axes = Second::input_axes[input];
    using Type = typename TypeOf<Second::input_types[input]>::Type;
    if constexpr (input_of_other<Second, First>(input) >= First::input_count)
      reduce_token<Second, Type>(arguments, row, part, axes, Second::Ports::first_input_gradient + input);
    reduce_second_inputs<First, Second, input + 1>(arguments, row);
  }
}
template <class FirstPolicy, class SecondPolicy>
RK_DEVICE void reduce_chain_token_gradients(const Arguments& arguments) {
  using First = BackwardTraits<FirstPolicy>;
  using Second = BackwardTraits<SecondPolicy>;
  using Storage = typename First::Storage;
  constexpr SlopePart query = First::slopes.query, key = First::slopes.key;
  for_each_token_row<First>(arguments, [&](const TokenRow& row) {
    if constexpr (First::reads_query)
      reduce_token<First, Storage>(arguments, row, query, query_head_axis, First::Ports::dq);
    if constexpr (First::reads_key)
      reduce_token<First, Storage>(arguments, row, key, query_head_axis, First::Ports::dk);
    reduce_first_inputs<First, Second>(arguments, row);
    reduce_second_inputs<First, Second>(arguments, row);
  });
}

template <class First, class Second, int index = 0> RK_DEVICE void reduce_first_parameters(const Arguments& arguments) {
  if constexpr (index < First::parameter_count) {
    constexpr int other = parameter_of_other<First, Second>(index);
    constexpr int gradient = First::Ports::first_parameter_gradient + index;
    constexpr SlopePart part = First::slopes.parameters[index];
    constexpr unsigned axes = First::parameter_axes[index];
    if constexpr (other >= 0 && other < Second::parameter_count) {
      constexpr SlopePart others = Second::slopes.parameters[other];
      reduce_parameter<First, Second>(arguments, part, axes, gradient, others);
    } else {
      reduce_parameter<First>(arguments, part, axes, gradient);
    }
    reduce_first_parameters<First, Second, index + 1>(arguments);
  }
}
template <class First, class Second, int index = 0>
RK_DEVICE void reduce_second_parameters(const Arguments& arguments) {
  if constexpr (index < Second::parameter_count) {
    constexpr SlopePart part = Second::slopes.parameters[index];
    constexpr unsigned axes = Second::parameter_axes[index];
    constexpr int other = parameter_of_other<Second, First>(index);
    if constexpr (other < 0 || other >= First::parameter_count)
      reduce_parameter<Second>(arguments, part, axes, Second::Ports::first_parameter_gradient + index);
    reduce_second_parameters<First, Second, index + 1>(arguments);
  }
}
// And of what the scan of slots begins with.
template <class FirstPolicy, class SecondPolicy>
RK_DEVICE void reduce_chain_parameter_gradients(const Arguments& arguments) {
  using First = BackwardTraits<FirstPolicy>;
  using Second = BackwardTraits<SecondPolicy>;
  reduce_first_parameters<First, Second>(arguments);
  reduce_second_parameters<First, Second>(arguments);
  constexpr SlopePart of_first = First::slopes.scan, of_second = Second::slopes.scan;
  if constexpr (First::has_scan)
    reduce_carried<First, Second>(arguments, of_first, First::Ports::dinitial_state_scan, of_second);
}

}  // namespace rankone
