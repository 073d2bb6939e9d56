// SPDX-License-Identifier: MIT
// What the recurrent family derives from a Policy.
#pragma once

#include "kernels/policy.cuh"
#include "kernels/read.cuh"
#include "recurrent/features.cuh"
#include "recurrent/layout.cuh"

namespace rankone {

template <class Policy> RK_CONSTEXPR RecurrentSizes recurrent_sizes() {
  constexpr bool by_key = has_axis(Policy::decay_axes, key_axis), by_value = has_axis(Policy::decay_axes, value_axis);
  constexpr bool by_element = by_key && by_value && !Policy::decays_on_both_sides;
  return {Policy::warps,         Policy::key_dim,     Policy::value_tile,        by_element ? Policy::input_count : 0,
          Policy::reduces_keys,  Policy::token_steps, Policy::value_major_state, element_slopes<Policy>(),
          Policy::has_normaliser};
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
  // Each element of the state at its own pace; or else what rows of keys decay by, and columns of values.
  static constexpr bool decays_by_element = has_axis(Policy::decay_axes, key_axis) &&
                                            has_axis(Policy::decay_axes, value_axis) && !Policy::decays_on_both_sides;
  static constexpr bool columns_decay = !decays_by_element && has_axis(Policy::decay_axes, value_axis);
  static constexpr bool rows_decay =
      !decays_by_element && Policy::decay_axes != 0 && (!columns_decay || Policy::decays_on_both_sides);
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
  static_assert(!Policy::reduces_keys || layout.rows <= threads, "each key of a row has a thread of its own");
  static_assert(layout.column_threads <= warp_size, "a warp holds whole rows of the tile");
};

}  // namespace rankone
