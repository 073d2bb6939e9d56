// SPDX-License-Identifier: MIT
// Non-causal variants: queries that read all keys of their sequence, from the state that the keys have left in the workspace.
//
//   scan, as states   walks the keys of a sequence, and leaves their state
//   read_queries      chunks of queries, side by side
#pragma once

#include "kernels/scan.cuh"

namespace rankone {

// A policy of queries or of keys: the other side's inputs have no axes, are staged nowhere, and are read by no formula.
template <class Policy, bool of_queries> struct SideAxes {
  RK_CONSTEXPR unsigned char operator[](int input) const {
    return Policy::input_is_of_queries[input] == of_queries ? Policy::input_axes[input] : 0;
  }
};
template <class Policy, bool of_queries> struct Side : Policy {
  static constexpr SideAxes<Policy, of_queries> input_axes{};
};

template <class Policy, Role role> struct QueryTraits : Traits<Side<Policy, true>, role> {
  static constexpr Layout layout = make_query_layout(layout_sizes<Side<Policy, true>, role>());
};

template <class Traits> struct QuerySources {
  using Storage = typename Traits::Storage;
  Source<Storage> query;
  InputSources<Traits> inputs;

  RK_DEVICE QuerySources(const Arguments& arguments, const Work& work)
      : query(Source<Storage>::template of<Traits>(arguments, Traits::Ports::q, work, work.query_head, 0,
                                                   Traits::key_dim)),
        inputs(arguments, work) {}
  RK_DEVICE void load(long long first_token, int rows) const {
    constexpr int tile = Traits::layout.query;
    if (query.alignment == 16)
      copy_tile<Traits::threads, Traits::chunk>(QueryTile<Traits>{tile}, query, first_token, rows);
    else
      copy_unaligned<Traits::threads, Traits::chunk>(tile, Traits::key_padded, query, first_token, rows);
    inputs.load(first_token, rows, 0);
    copy_commit();
  }
};

// Queries through their expressions.
template <class Traits, class Gate> RK_DEVICE void rewrite_queries(const ChunkPlace<Traits>& place) {
  const QueryTile<Traits> query{place.stage + Traits::layout.query};
  for (int item = thread_index(); item < Traits::chunk * Traits::key_padded; item += Traits::threads) {
    const int row = item / Traits::key_padded, column = item % Traits::key_padded;
    if (row >= place.rows || column >= Traits::key_dim) continue;  // loaded as zero
    ChunkAt<Traits> at = place.at(row, column);
    at.query_value = Gate::feature_map(query.load(row, column));
    float result = at.query_value;
    if constexpr (Traits::has_query) result = Gate::query(at);
    query.store(row, column, result);
  }
}

// What each query reads of a normaliser's sum.
template <class Traits> RK_DEVICE void read_whole_sum(const ChunkPlace<Traits>& place) {
  const Tile<float, Traits::key_padded> sum{sum_layout<Traits>.sum};
  const OperandTile<Traits> queries = operand_queries<Traits>(place);
  for (int first = 8 * warp_index(); first < place.rows; first += 8 * Traits::warps) {
    const int row = first + lane_place().group;
    store_read<Traits>(row, product_with_sum<Traits>(queries, row, sum, 0), place.arguments.scale);
  }
}

template <class Traits, class Gate>
RK_DEVICE void read_sub_chunk(const ChunkPlace<Traits>& place, int first, State<Traits>& state) {
  const OperandTile<Traits> query = operand_queries<Traits>(place);
  float o[Traits::column_blocks][2][4] = {}, odd_steps[Traits::column_blocks][2][4] = {};
  state.for_each_group([&](int first_key) { read_group<Traits>(query, first, first_key, state, o, odd_steps); });
#pragma unroll
  for (int i = 0; i < 8 * Traits::column_blocks; ++i) o[i / 8][i / 4 % 2][i % 4] += odd_steps[i / 8][i / 4 % 2][i % 4];
  store_output<Traits, Gate>(place, first, o);
}

template <class Policy, class Gate, Role role> RK_DEVICE void read_queries(const Arguments& arguments) {
  using T = QueryTraits<Policy, role>;
  Work work;
  const long long slot = place_columns<T, long long>(arguments, block_index(), work);
  place_chunk<T>(arguments, slot, T::chunk * query_chunks, work);
  if (work.length == 0) return;
  State<T> state;
  const bool holds_state = warp_index() < T::state_warps;
  if (holds_state) state.restore(arguments, work, work.sequence);
  if constexpr (T::has_normaliser) restore_sum<T>(arguments, work, work.sequence);
  const QuerySources<T> sources(arguments, work);
#pragma unroll 1
  for (long long first = 0; first < work.length; first += T::chunk) {
    const ChunkPlace<T> place{arguments, work, 0, first, static_cast<int>(clamp(work.length - first, 0, T::chunk))};
    if (first > 0) sync_block();  // every warp has left the chunk before
    sources.load(first, place.rows);
    copy_wait<0>();
    sync_block();  // the queries, and the sum of keys
    if constexpr (T::rewrites_query) {
      rewrite_queries<T, Gate>(place);
      sync_block();  // queries through their expressions
    }
    if constexpr (T::has_normaliser) {
      read_whole_sum<T>(place);
      sync_block();  // what queries read of the sum
    }
    if (!holds_state) continue;
#pragma unroll 1
    for (int row = 0; row < place.rows; row += sub_chunk) read_sub_chunk<T, Gate>(place, row, state);
  }
}

}  // namespace rankone
