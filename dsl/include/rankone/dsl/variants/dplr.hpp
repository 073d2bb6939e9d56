// SPDX-License-Identifier: MIT
// Of the catalogue: diagonal plus low rank.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(exp(gk_t)) S_{t-1} + b_t^T (a_t S_{t-1}) + k_t^T v_t,   a_t, b_t [HV, K].
inline constexpr auto dplr = variant("dplr")
                                 .decay(per_key(input("gk")))
                                 .write_scale(1)
                                 .erase(1)
                                 .erase_read(-input("a"))
                                 .erase_write(input("b"))
                                 .erase_undecayed()
                                 .checked();
inline constexpr Source dplr_source{.about = "the transition of a token is a diagonal and a product of two vectors",
                                    .title = "flash-linear-attention: generalized_delta_rule, dplr",
                                    .authors = "Yang, Zhang",
                                    .arxiv = ""};

}  // namespace rankone::variants
