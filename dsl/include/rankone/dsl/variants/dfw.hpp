// SPDX-License-Identifier: MIT
// Decaying fast weights: a decay for each key times one for each value column.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = (alpha_t^T beta_t) * S_{t-1} + k_t^T v_t,   alpha_t = sigmoid(a_t) [HV, K],   beta_t = sigmoid(b_t) [HV, V].
// Mao, arXiv 2210.04243.
inline constexpr auto dfw = variant("dfw").decay(outer(log_sigmoid(input("a")), log_sigmoid(input("b")))).checked();

}  // namespace rankone::variants
