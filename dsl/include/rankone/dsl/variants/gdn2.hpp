// SPDX-License-Identifier: MIT
// Of the catalogue: Gated DeltaNet 2.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = (I - k_t^T (b_t * k_t)) Diag(exp(g_t)) S_{t-1} + k_t^T (w_t * v_t),   b_t [HV, K], w_t [HV, V].
inline constexpr auto gdn2 = variant("gdn2")
                                 .decay(per_key(input("g")))
                                 .write_scale(1)
                                 .erase(1)
                                 .erase_read(input("b") * key())
                                 .value(input("w") * value())
                                 .checked();
inline constexpr Source gdn2_source{
    .about = "keys erase by a gate for each key, values are written by a gate for each value",
    .title = "flash-linear-attention: gdn2",
    .authors = "Yang, Zhang",
    .arxiv = "",
    .open = "Keys are as given: normalize them before."};

}  // namespace rankone::variants
