// SPDX-License-Identifier: MIT
// Whether queries and keys suit an anchor: 2^60 times a query must not overflow float32, and 2^-60 times a key must keep
// its digits. What comes as bf16 is tested two at a time, an instruction each; in float16 scales see to it.
#pragma once

#include "device/math.cuh"
#include "hopper/policy.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

template <class T> struct OperandRange {
  using Operand = typename T::Storage;
  static constexpr float largest_query = 0x1p66f, smallest_key = 0x1p-66f;
  static constexpr bool query_is_mapped = T::has_feature_map, key_is_mapped = T::rewrites || T::has_write_scale;
  unsigned queries = 0u, keys = 0x7f7f7f7fu;  // packed: the largest and the smallest, zeros too
  bool is_beyond = false;                     // of what formulas gave

  RK_DEVICE void add_queries(const Quad<Operand>& quad) {
    if constexpr (!T::range_scaled && !query_is_mapped) {
#pragma unroll
      for (int i = 0; i < 4; ++i) queries = larger_magnitudes_bf16(queries, quad.r[i]);
    }
  }
  RK_DEVICE void add_keys(const Quad<Operand>& quad) {
    if constexpr (!T::range_scaled && !key_is_mapped) {
#pragma unroll
      for (int i = 0; i < 4; ++i) keys = smaller_magnitudes_bf16(keys, quad.r[i]);
    }
  }
  RK_DEVICE void add_mapped_query(float query) { is_beyond = is_beyond || absolute(query) >= largest_query; }
  RK_DEVICE void add_mapped_key(float key) { is_beyond = is_beyond || vanishes(key); }

  static RK_DEVICE bool vanishes(float key) { return key != 0.0f && absolute(key) < smallest_key; }
  RK_DEVICE bool is_beyond_anchor() const {
    return is_beyond || absolute(as_float(queries)) >= largest_query ||
           absolute(as_float(queries << 16)) >= largest_query;
  }
  // True also where a key is zero, which is as well as any.
  RK_DEVICE bool may_vanish() const {
    return absolute(as_float(keys & 0xffff0000u)) < smallest_key || absolute(as_float(keys << 16)) < smallest_key;
  }
};

}  // namespace rankone
