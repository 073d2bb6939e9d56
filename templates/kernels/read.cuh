// SPDX-License-Identifier: MIT
// What a query reads of its own token, decided once for all masks and all sums of decays.
#pragma once

#include "kernels/policy.cuh"

namespace rankone {

// The last token whose write a query sees, and whose decay applies to what it reads of earlier ones. A bonus is an
// exclusive read, to which the own token's product with weights of its own is added.
template <Read read> RK_CONSTEXPR int last_read_by(int query) { return read == Read::inclusive ? query : query - 1; }
template <class T> RK_CONSTEXPR int last_read(int query) { return last_read_by<T::read>(query); }
template <class T> RK_CONSTEXPR bool reads(int query, int key) { return key <= last_read<T>(query); }
// Whether a query's own decay applies to what it reads.
template <class T> inline constexpr bool reads_own = last_read<T>(0) == 0;
// Whether a query's product with its own key counts in another way than with earlier ones.
template <class T> inline constexpr bool weighs_own = T::read == Read::bonus;
// The last token whose value is part of a query's output.
template <class T> RK_CONSTEXPR int last_value(int query) { return weighs_own<T> ? query : last_read<T>(query); }

}  // namespace rankone
