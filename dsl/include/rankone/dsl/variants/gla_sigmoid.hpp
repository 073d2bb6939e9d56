// SPDX-License-Identifier: MIT
// Gated linear attention, its gate computed from logits as in the paper.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = Diag(sigmoid(x_t)^(1/16)) S_{t-1} + k_t^T v_t
// Yang et al., Gated Linear Attention Transformers, arXiv 2312.06635, section 4.4.
inline constexpr auto gla_sigmoid = variant("gla_sigmoid").decay(per_key(log_sigmoid(input("x")) / 16)).checked();

}  // namespace rankone::variants
