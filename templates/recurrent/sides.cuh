// SPDX-License-Identifier: MIT
// The two walks of a non-causal variant, over the keys of a sequence and over its queries, and where keys stand.
#pragma once

#include "recurrent/policy.cuh"
#include "recurrent/rows.cuh"

namespace rankone {

template <class T> struct KeySide : T { static constexpr bool walks_queries = false; };
template <class T> struct QuerySide : T { static constexpr bool walks_keys = false; };

// Offsets of keys, as sequence_offset() has those of queries.
template <class T> RK_DEVICE long long key_offset(const Arguments& arguments, long long index) {
  constexpr int place = T::Ports::cu_seqlens_k;
  const void* const offsets = port<T>(arguments, place).data;
  const long long offset = (arguments.wide >> place & 1u) != 0
                               ? global_load<long long>(global<const long long>(offsets) + index)
                               : global_load<int>(global<const int>(offsets) + index);
  return clamp(offset, 0, key_tokens(arguments));
}

// The keys of the sequence whose queries `work` has.
template <class T> RK_DEVICE Work keys_of(const Arguments& arguments, Work work) {
  work.start = 0;
  work.length = key_tokens(arguments);
  if (is_packed<T>(arguments)) {
    work.start = key_offset<T>(arguments, work.sequence);
    const long long end = key_offset<T>(arguments, work.sequence + 1);
    work.length = end > work.start ? end - work.start : 0;
  }
  return work;
}

}  // namespace rankone
