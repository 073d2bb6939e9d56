// SPDX-License-Identifier: MIT
// What the recurrent family derives from a Policy.
#pragma once

#include "kernels/policy.cuh"
#include "kernels/read.cuh"
#include "recurrent/features.cuh"
#include "recurrent/layout.cuh"

namespace rankone {

// Which of the token inputs without the other side's axis the input is; their number, of no input.
template <class Policy> RK_CONSTEXPR int inputs_before(int input, AxisBit other_side) {
  int count = 0;
  for (int i = 0; i < input && i < Policy::input_count; ++i)
    count += has_axis(Policy::input_axes[i], other_side) ? 0 : 1;
  return count;
}

// What is fetched of a token for a key: q, k, the second of a pair of each, and inputs; for a value column: v, the slope of
// its output, and inputs.
template <class Policy> RK_CONSTEXPR int first_key_input() { return has_pairs<Policy>() ? 4 : 2; }
constexpr int first_column_input = 2;

template <class Policy> RK_CONSTEXPR RecurrentSizes recurrent_sizes() {
  constexpr bool by_key = has_axis(Policy::decay_axes, key_axis), by_value = has_axis(Policy::decay_axes, value_axis);
  constexpr bool by_element = by_key && by_value && !Policy::decays_on_both_sides;
  RecurrentSizes sizes{};
  sizes.warps = Policy::warps;
  sizes.key_dim = Policy::key_dim;
  sizes.value_tile = Policy::value_tile;
  sizes.inputs = by_element ? Policy::input_count : 0;
  sizes.reduces_keys = Policy::reduces_keys;
  sizes.token_steps = Policy::token_steps;
  sizes.splits_columns = Policy::splits_columns;
  sizes.stages_tokens = Policy::stages_tokens;
  sizes.stage_keys = first_key_input<Policy>() + inputs_before<Policy>(Policy::input_count, value_axis);
  sizes.stage_columns = first_column_input + inputs_before<Policy>(Policy::input_count, key_axis);
  sizes.element_slopes = element_slopes<Policy>();
  sizes.is_normalised = Policy::has_normaliser;
  sizes.has_phase = Policy::has_phase;
  sizes.writes_again = Policy::has_lagged_scale;
  sizes.has_running_max = Policy::has_write_log_scale;
  sizes.erases_values = Policy::has_value_erase_scale;
  sizes.has_scan = Policy::has_scan_term;
  sizes.scans_values = Policy::scans_values;
  return sizes;
}

// Whether a walk fetches the token input.
template <class T> RK_CONSTEXPR bool fetches_input(int input) {
  if constexpr (T::non_causal)
    return T::input_is_of_queries[input] == T::walks_queries;
  else
    return true;
}

template <class Policy> struct RecurrentTraits : Policy {
  static constexpr RecurrentLayout layout = make_recurrent_layout(recurrent_sizes<Policy>());
  static constexpr int threads = layout.threads;
  static constexpr int value_columns = rankone::value_columns(recurrent_sizes<Policy>());
  static constexpr int value_tiles = rankone::value_tiles(recurrent_sizes<Policy>(), Policy::value_dim);
  static constexpr int inputs = Policy::input_count > 0 ? Policy::input_count : 1;
  static constexpr int parameters = Policy::parameter_count > 0 ? Policy::parameter_count : 1;
  // Whether something is carried beside the state that all tiles read and one writes: a normaliser's sum, a running maximum, a
  // scan, the last token's key.
  static constexpr bool carries_more =
      Policy::has_normaliser || Policy::has_write_log_scale || Policy::has_scan_term || Policy::has_lagged_scale;
  static constexpr bool has_scan = Policy::has_scan_term;
  // Each number of a scan is summed up by the thread that has its key, or of slots, its column.
  static constexpr int scan_width = Policy::scans_values ? Policy::value_dim : Policy::key_dim;
  // What the first pass of a chain reads is not rounded on its way to the second, which reads without a scale.
  using Output = typename Choose<Policy::is_first_pass, float, typename Policy::Storage>::Type;
  static RK_DEVICE float read_scale(const Arguments& arguments) {
    return Policy::is_second_pass ? 1.0f : arguments.scale;
  }
  // Each element of the state at its own pace; or else what rows of keys decay by, and columns of values.
  static constexpr bool decays_by_element = has_axis(Policy::decay_axes, key_axis) &&
                                            has_axis(Policy::decay_axes, value_axis) && !Policy::decays_on_both_sides;
  static constexpr bool columns_decay = !decays_by_element && has_axis(Policy::decay_axes, value_axis);
  // Beside a running maximum rows decay by what the units do, too.
  static constexpr bool has_running_max = Policy::has_write_log_scale;
  static constexpr bool rows_decay = has_running_max || (!decays_by_element && Policy::decay_axes != 0 &&
                                                         (!columns_decay || Policy::decays_on_both_sides));
  static constexpr bool reads_before = !reads_own<Policy>;
  // Whether a walk is over queries, and whether over keys: a non-causal variant has one for each (recurrent/sides.cuh).
  static constexpr bool walks_queries = true, walks_keys = true;
  // Which of a bidirectional variant's walks it is (recurrent/both_directions.cuh).
  static constexpr bool is_upward = Policy::bidirectional && Policy::walk == Walk::ascending;
  static constexpr bool is_downward = Policy::bidirectional && Policy::walk == Walk::descending;
  static constexpr bool keeps_reads = is_upward;  // what queries read goes to the workspace, and no output is written
  // Float32 outputs show what each of many additions to the state rounds away: each element keeps it. Those of a few tokens
  // of decoding are rounded with the state, which goes back to its slot.
  static constexpr bool compensated =
      sizeof(typename Policy::Storage) == 4 && Policy::state_layout == StateLayout::dense;
  static_assert(value_columns > 0, "a tile has columns of v");
  static_assert(!Policy::has_value_erase_scale || value_tiles == 1, "what values erase is read of all columns");
  static_assert(!Policy::reduces_keys || layout.rows <= threads, "each key of a row has a thread of its own");
  static_assert(layout.column_threads <= warp_size, "a warp holds whole rows of its columns");
  static constexpr bool fetches_slopes = false;  // of outputs
};

}  // namespace rankone
