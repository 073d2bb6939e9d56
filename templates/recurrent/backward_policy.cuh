// SPDX-License-Identifier: MIT
// What the recurrent family's backward pass derives from a Policy.
#pragma once

#include "recurrent/backward_layout.cuh"
#include "recurrent/policy.cuh"
#include "recurrent/slope_layout.cuh"

namespace rankone {

RK_CONSTEXPR Columnwise columnwise(unsigned axes) { return {has_axis(axes, key_axis), has_axis(axes, value_axis)}; }

template <class Policy> RK_CONSTEXPR SlopeSizes slope_sizes() {
  SlopeSizes sizes{};
  sizes.element_dim = Policy::element_dim;
  sizes.key_dim = Policy::key_dim;
  sizes.value_dim = Policy::value_dim;
  sizes.value_tiles = value_tiles(recurrent_sizes<Policy>(), Policy::value_dim);
  sizes.reads_query = Policy::reads_query;
  sizes.reads_key = Policy::reads_key;
  sizes.is_normalised = Policy::has_normaliser;
  sizes.has_scan = Policy::has_scan_term;
  sizes.scans_values = Policy::scans_values;
  sizes.writes_again = Policy::has_lagged_scale;
  sizes.inputs = Policy::input_count;
  sizes.parameters = Policy::parameter_count;
  if constexpr (Policy::is_first_pass || Policy::is_second_pass) {
    sizes.token_floats_before = Policy::token_floats_before;
    sizes.token_floats_behind = Policy::token_floats_behind;
    sizes.sequence_floats_before = Policy::sequence_floats_before;
    sizes.sequence_floats_behind = Policy::sequence_floats_behind;
  }
  for (int i = 0; i < Policy::input_count; ++i) sizes.of_inputs[i] = columnwise(Policy::input_axes[i]);
  for (int i = 0; i < Policy::parameter_count; ++i) sizes.of_parameters[i] = columnwise(Policy::parameter_axes[i]);
  return sizes;
}

// Tensors that formulas read and that have no columns: what their slopes are summed over is the whole block's.
RK_CONSTEXPR bool is_of_heads(unsigned axes) { return !has_axis(axes, key_axis) && !has_axis(axes, value_axis); }

template <class Policy> RK_CONSTEXPR int count_head_inputs() {
  int count = 0;
  for (int i = 0; i < Policy::input_count; ++i) count += is_of_heads(Policy::input_axes[i]) ? 1 : 0;
  return count;
}
template <class Policy> RK_CONSTEXPR int count_head_parameters() {
  int count = 0;
  for (int i = 0; i < Policy::parameter_count; ++i) count += is_of_heads(Policy::parameter_axes[i]) ? 1 : 0;
  return count;
}

template <class Policy> struct BackwardTraits : RecurrentTraits<Policy> {
  static constexpr BackwardLayout backward =
      make_backward_layout(recurrent_sizes<Policy>(), Policy::input_count, !Policy::non_causal);
  // The state before each run of tokens.
  static RK_DEVICE void* run_states(const Arguments& arguments) {
    return RecurrentTraits<Policy>::is_downward ? arguments.segment_states : arguments.chunk_states;
  }
  // What blocks keep of the run at hand: behind the sequences' slopes.
  static RK_DEVICE void* kept_in_memory(const Arguments& arguments) {
    const long long floats = arguments.sequences * arguments.value_heads * slopes.sequence_floats;
    return static_cast<float*>(arguments.parameter_slopes) + floats;
  }
  static constexpr bool fetches_slopes = true;
  static constexpr SlopeLayout slopes = make_slope_layout(slope_sizes<Policy>());
  // Whether what a query read has to be known, and is not in the workspace.
  static constexpr bool reads_again = Policy::has_output && !Policy::bidirectional;
  static constexpr bool has_head_inputs = count_head_inputs<Policy>() > 0;
  static constexpr bool has_head_parameters = count_head_parameters<Policy>() > 0;
};

}  // namespace rankone
