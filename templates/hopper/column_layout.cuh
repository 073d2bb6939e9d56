// SPDX-License-Identifier: MIT
// What a stage holds beside all else where value columns decay; the kernel and the host compute it by these functions.
#pragma once

#include "hopper/layout.cuh"

namespace rankone {

inline constexpr int column_span = 2 * sub_chunk;  // tokens that one step of the state takes
// A span's values and outputs meet at its start while no column of the warp loses more than 2^-60 within it: values are
// multiplied by up to 2^60. The host refuses values that would leave float32.
inline constexpr int column_anchor_log2_limit = 60;

// Columns of an input of value columns: each block of a cluster has its own, where of keys it would have a part.
RK_CONSTEXPR int tile_of_values(const HopperSizes& sizes) { return sizes.value_tile * sizes.cluster; }

// Of a bonus, products of queries with their own keys, a float for each token and warp that shares a span's keys: they stand
// where one more input would.
RK_CONSTEXPR void reserve_own_products(HopperSizes& sizes, int input_count) {
  const bool by_key = sizes.key_decays > 1;
  sizes.input_bytes[input_count] = 4;
  sizes.input_columns[input_count] = by_key ? group_warps / (sizes.chunk / key_span) : 1;
}

}  // namespace rankone
