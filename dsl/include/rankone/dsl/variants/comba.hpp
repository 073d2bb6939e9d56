// SPDX-License-Identifier: MIT
// Comba: a delta rule that reads what it erases with a vector of its own, before the decay.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = exp(g_t) S_{t-1} - beta_t k_t^T (p_t S_{t-1}) + beta_t k_t^T v_t,   p_t [HV, K]; keys as given.
// Hu et al., arXiv 2506.02475; its query correction q - D p is the caller's.
inline constexpr auto comba = variant("comba")
                                  .decay(per_head(input("g")))
                                  .erase(input("beta"))
                                  .erase_read(input("p"))
                                  .erase_undecayed()
                                  .checked();

}  // namespace rankone::variants
