// SPDX-License-Identifier: MIT
// Diagonal plus low rank: the transition of a token is a diagonal and a product of two vectors.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = Diag(exp(gk_t)) S_{t-1} + b_t^T (a_t S_{t-1}) + k_t^T v_t,   a_t, b_t [HV, K].
// As flash-linear-attention's generalized delta rule computes it.
inline constexpr auto dplr = variant("dplr")
                                 .decay(per_key(input("gk")))
                                 .write_scale(1)
                                 .erase(1)
                                 .erase_read(-input("a"))
                                 .erase_write(input("b"))
                                 .erase_undecayed()
                                 .checked();

}  // namespace rankone::variants
