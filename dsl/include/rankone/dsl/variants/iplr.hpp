// SPDX-License-Identifier: MIT
// Of the catalogue: identity plus low rank.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = S_{t-1} + b_t^T (a_t S_{t-1}) + k_t^T v_t,   a_t, b_t [HV, K].
inline constexpr auto iplr =
    variant("iplr").write_scale(1).erase(1).erase_read(-input("a")).erase_write(input("b")).checked();
inline constexpr Source iplr_source{
    .about = "nothing decays, and the transition of a token adds a product of two vectors",
    .title = "flash-linear-attention: generalized_delta_rule, iplr",
    .authors = "Yang, Zhang",
    .arxiv = ""};

}  // namespace rankone::variants
