// SPDX-License-Identifier: MIT
// RWKV-7: a decay for each key, and an erasure with vectors of its own, read before the decay.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = Diag(exp(w_t)) S_{t-1} + b_t^T (a_t S_{t-1}) + k_t^T v_t,   o_t = q_t S_t,   a_t, b_t [HV, K]; scale 1.
// Peng et al., arXiv 2503.14456.
inline constexpr auto rwkv7 = variant("rwkv7")
                                  .decay(per_key(input("w")))
                                  .write_scale(1)
                                  .erase(1)
                                  .erase_read(-input("a"))
                                  .erase_write(input("b"))
                                  .erase_undecayed()
                                  .scale(1)
                                  .checked();

}  // namespace rankone::variants
