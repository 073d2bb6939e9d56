// SPDX-License-Identifier: MIT
// Of the catalogue: DeltaNet.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = (I - beta_t k_t^T k_t) S_{t-1} + beta_t k_t^T v_t,   beta_t from 0 to 2.
inline constexpr auto delta = variant("delta").erase(input("beta")).checked();
inline constexpr Source delta_source{
    .about = "what a key holds is replaced, not added to",
    .title = "Parallelizing Linear Transformers with the Delta Rule over Sequence Length",
    .authors = "Yang et al.",
    .arxiv = "2406.06484",
    .open =
        "Keys are as given: normalize them before. beta is given behind its sigmoid, or twice "
        "that. K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants
