// SPDX-License-Identifier: MIT
// Of the catalogue: Comba.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = exp(g_t) S_{t-1} - beta_t k_t^T (p_t S_{t-1}) + beta_t k_t^T v_t,   p_t [HV, K].
inline constexpr auto comba = variant("comba")
                                  .decay(per_head(input("g")))
                                  .erase(input("beta"))
                                  .erase_read(input("p"))
                                  .erase_undecayed()
                                  .checked();
inline constexpr Source comba_source{
    .about = "a delta rule that reads what it erases with a vector of its own, before the decay",
    .title = "Comba: Improving Bilinear RNNs with Closed-loop Control",
    .authors = "Hu et al.",
    .arxiv = "2506.02475",
    .open =
        "How p follows from the key, and the correction of the query, q - D p, are the caller's. "
        "It erases as flash-linear-attention's kernels do: the naive recurrence there reads "
        "behind the decay."};

}  // namespace rankone::variants
