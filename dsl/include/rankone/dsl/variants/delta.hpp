// SPDX-License-Identifier: MIT
// DeltaNet: what a key holds is replaced, not added to.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = (I - beta_t k_t^T k_t) S_{t-1} + beta_t k_t^T v_t,   beta_t from 0 to 2, keys as given: normalize them before.
// Yang et al., arXiv 2406.06484.
inline constexpr auto delta = variant("delta").erase(input("beta")).checked();

}  // namespace rankone::variants
