// SPDX-License-Identifier: MIT
// Of the catalogue: RWKV-7.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(exp(w_t)) S_{t-1} + b_t^T (a_t S_{t-1}) + k_t^T v_t,   o_t = q_t S_t,   a_t, b_t [HV, K].
inline constexpr auto rwkv7 = variant("rwkv7")
                                  .decay(per_key(input("w")))
                                  .write_scale(1)
                                  .erase(1)
                                  .erase_read(-input("a"))
                                  .erase_write(input("b"))
                                  .erase_undecayed()
                                  .scale(1)
                                  .checked();
inline constexpr Source rwkv7_source{
    .about = "a decay for each key, and an erasure with vectors of its own, read before the decay",
    .title = "RWKV-7 \"Goose\" with Expressive Dynamic State Evolution",
    .authors = "Peng et al.",
    .arxiv = "2503.14456",
    .open = "q is its r, w a log-decay, a = -kappa, b = kappa * eta; its bonus is the caller's."};

}  // namespace rankone::variants
