// SPDX-License-Identifier: MIT
// Of the catalogue: HGRN.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = S_{t-1} Diag(exp(g_t)) + v_t,   o_t = S_t,   of one key: a state is a row of value columns.
inline constexpr auto hgrn = variant("hgrn").decay(per_value(input("g"))).key(1).query(1).scale(1).checked();
inline constexpr Source hgrn_source{
    .about = "a gated recurrence of value columns alone: no keys, no queries, K = 1",
    .title = "Hierarchically Gated Recurrent Neural Network for Sequence Modeling",
    .authors = "Qin, Yang, Zhong",
    .arxiv = "2311.04823",
    .open =
        "v is flash-linear-attention's x, which is added as it is: that forget gates share it out, and their lower bounds, are "
        "the caller's, as the output gate is. Of K keys, which would all be one, an output is K times the state."};

}  // namespace rankone::variants
