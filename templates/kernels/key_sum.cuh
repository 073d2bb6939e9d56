// SPDX-License-Identifier: MIT
// A normaliser's sum of keys over a chunk, made of the operands that the state takes up, and what each query reads of it.
#pragma once

#include "kernels/recurrence.cuh"

namespace rankone {

// Queries and keys as the recurrence reads them.
template <class Traits> RK_DEVICE OperandTile<Traits> operand_queries(const ChunkPlace<Traits>& place) {
  return {Traits::layout.in_place ? place.stage + Traits::layout.query : Traits::layout.scaled_query};
}
template <class Traits> RK_DEVICE OperandTile<Traits> operand_keys(const ChunkPlace<Traits>& place) {
  return {Traits::layout.in_place ? place.stage + Traits::layout.key : Traits::layout.scaled_key};
}

// The sum of a key behind a sub-chunk, rounded as an element of the state is.
template <class Traits> RK_DEVICE float sum_behind(float sum, const Unrounded& decay, float added) {
  if constexpr (!Traits::weighted)
    return sum + added;
  else if constexpr (Traits::split_products)
    return multiply_add(sum, decay.high, multiply_add(sum, decay.low, added));
  else
    return multiply_add(sum, decay.high, added);
}

// Adds the chunk's keys to the sum, and leaves it as it is before each sub-chunk.
template <class Traits> RK_DEVICE void add_keys(const ChunkPlace<Traits>& place) {
  constexpr SumLayout layout = sum_layout<Traits>;
  const Tile<float, Traits::key_padded> sums{layout.span_sums};
  const OperandTile<Traits> keys = operand_keys<Traits>(place);
  for (int key = 2 * thread_index(); key < Traits::key_padded; key += 2 * Traits::threads) {
    const int own = layout.sum + key * 4;
    float even = shared_load<float>(own), odd = shared_load<float>(own + 4);
#pragma unroll 1
    for (int span = 0; span < Traits::spans && span * sub_chunk < place.rows; ++span) {
      if constexpr (Traits::computes_scores) store_pair(sums, span, key, even, odd);
      float added_even = 0.0f, added_odd = 0.0f;
#pragma unroll(rows_at_once <Traits>)
      for (int row = span * sub_chunk; row < (span + 1) * sub_chunk; ++row) {
        float low, high, weight = 1.0f;
        load_pair(keys, row, key, low, high);
        if constexpr (!Traits::decays_by_key && Traits::weighted)
          weight = shared_load<float>(Traits::layout.column_decay + row * 4);
        added_even = multiply_add(low, weight, added_even);
        added_odd = multiply_add(high, weight, added_odd);
      }
      KeyDecays decays;
      if constexpr (Traits::weighted) decays.template load<Traits>(span, key);
      even = sum_behind<Traits>(even, decays.even, added_even);
      odd = sum_behind<Traits>(odd, decays.odd, added_odd);
    }
    shared_store<float>(own, even);
    shared_store<float>(own + 4, odd);
  }
}

// Of a query's product with a sum of keys a lane's part: four lanes share it.
template <class Traits>
RK_DEVICE float product_with_sum(const OperandTile<Traits>& queries, int row,
                                 const Tile<float, Traits::key_padded>& sums, int span) {
  float part = 0.0f;
#pragma unroll(rows_at_once <Traits>)
  for (int key = 2 * lane_place().pair; key < Traits::key_padded; key += 8) {
    float query[2], sum[2];
    load_pair(queries, row, key, query[0], query[1]);
    load_pair(sums, span, key, sum[0], sum[1]);
    part = multiply_add(query[0], sum[0], multiply_add(query[1], sum[1], part));
  }
  return part;
}
// Adds up the lanes' parts. Warp-wide.
template <class Traits> RK_DEVICE void store_read(int row, float part, float scale) {
  part += shuffle_xor(part, 1);
  part += shuffle_xor(part, 2);
  if (lane_place().pair == 0) shared_store<float>(sum_layout<Traits>.reads + row * 4, part * scale);
}

// What each query reads of the sum before its sub-chunk, decayed, and of its sub-chunk's keys: its scores.
template <class Traits> RK_DEVICE void read_sums(const ChunkPlace<Traits>& place) {
  const Tile<float, Traits::key_padded> sums{sum_layout<Traits>.span_sums};
  const OperandTile<Traits> queries = operand_queries<Traits>(place);
  const LanePlace lane = lane_place();
  for (int unit = warp_index(); unit < 2 * Traits::spans; unit += Traits::warps) {
    const int span = unit / 2, row = unit * 8 + lane.group;
    if (span * sub_chunk >= place.rows) break;
    float read = product_with_sum<Traits>(queries, row, sums, span);
    if constexpr (!Traits::decays_by_key && Traits::weighted)
      read *= shared_load<float>(Traits::layout.row_decay + row * 4);
#pragma unroll
    for (int part = 0; part < Traits::layout.score_parts; ++part) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float first, second;
        load_pair(score_tile<Traits>(part), row, half * 8 + 2 * lane.pair, first, second);
        read += first + second;
      }
    }
    store_read<Traits>(row, read, place.arguments.scale);
  }
}

}  // namespace rankone
