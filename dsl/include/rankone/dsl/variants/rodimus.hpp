// SPDX-License-Identifier: MIT
// Rodimus: one gate both forgets and selects what is written, to the power of a temperature.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// The logarithm of g_t, which is x_t where softplus(x_t) leaves float32.
inline constexpr Expression rodimus_log_gate = max(log(softplus(input("x"))), min(input("x"), -20));

// S_t = Diag(exp(-g_t * tau_t)) S_{t-1} + (g_t^tau_t * k_t)^T v_t,   g_t = softplus(x_t),   tau_t = sigmoid(t_t), both [HV, K].
// He et al., arXiv 2410.06577; keys as given.
inline constexpr auto rodimus = variant("rodimus")
                                    .decay(per_key(-softplus(input("x")) * sigmoid(input("t"))))
                                    .key(exp(sigmoid(input("t")) * rodimus_log_gate) * key())
                                    .checked();

}  // namespace rankone::variants
