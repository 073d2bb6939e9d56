// SPDX-License-Identifier: MIT
// Identity plus low rank: nothing decays, and the transition of a token adds a product of two vectors.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = S_{t-1} + b_t^T (a_t S_{t-1}) + k_t^T v_t,   a_t, b_t [HV, K].
// As flash-linear-attention's generalized delta rule computes it.
inline constexpr auto iplr =
    variant("iplr").write_scale(1).erase(1).erase_read(-input("a")).erase_write(input("b")).checked();

}  // namespace rankone::variants
