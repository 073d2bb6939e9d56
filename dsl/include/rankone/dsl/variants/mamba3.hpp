// SPDX-License-Identifier: MIT
// Of the catalogue: Mamba-3.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = exp(adt_t) (S_{t-1} + (1 - l_t) dt_t k_{t-1}^T v_{t-1}) + l_t dt_t k_t^T v_t,   l_t = sigmoid(trap_t),   o_t = q_t S_t
inline constexpr auto mamba3 = variant("mamba3")
                                   .decay(per_head(input("adt")))
                                   .write_scale(sigmoid(input("trap")) * input("dt"))
                                   .write_lagged((1 - sigmoid(input("trap"))) * input("dt"))
                                   .scale(1)
                                   .checked();
inline constexpr Source mamba3_source{
    .about = "a trapezoidal step: a token writes the one before it, too",
    .title = "Mamba-3: Improved Sequence Modeling using State Space Principles",
    .authors = "Lahoti et al.",
    .arxiv = "2603.15569",
    .open =
        "One input and one output a head, under the names of the authors' implementation: adt is the log-decay, trap is before "
        "its sigmoid. q and k are its C and B with their biases, turned by their cumulative angles, which is the caller's, as "
        "its skip and output gate are."};

}  // namespace rankone::variants
