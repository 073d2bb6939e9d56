// SPDX-License-Identifier: MIT
// Of the catalogue: the gated Oja rule.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = S_{t-1} Diag(exp(gv_t)) (I - beta_t v_t^T v_t) + beta_t k_t^T v_t,   gv_t [HV, V].
inline constexpr auto gated_oja =
    variant("gated_oja").decay(per_value(input("gv"))).value_erase(input("beta")).checked();
inline constexpr Source gated_oja_source{
    .about = "the delta rule on the value side: what a value holds is erased before it is written anew",
    .title = "flash-linear-attention: gated_oja_rule",
    .authors = "Yang, Zhang",
    .arxiv = "",
    .open =
        "Values are as given: normalize them before. beta is given behind its sigmoid. K^-0.5 is "
        "flash-linear-attention's scale. Without its gate: gv of zeros."};

}  // namespace rankone::variants
