// SPDX-License-Identifier: MIT
// The two walks of a non-causal variant, over the keys of a sequence and over its queries.
#pragma once

#include "recurrent/policy.cuh"
#include "recurrent/rows.cuh"

namespace rankone {

template <class T> struct KeySide : T { static constexpr bool walks_queries = false; };
template <class T> struct QuerySide : T { static constexpr bool walks_keys = false; };

}  // namespace rankone
