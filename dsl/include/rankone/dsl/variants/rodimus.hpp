// SPDX-License-Identifier: MIT
// Of the catalogue: Rodimus.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// The logarithm of g_t, which is x_t where softplus(x_t) leaves float32.
inline constexpr Expression rodimus_log_gate = max(log(softplus(input("x"))), min(input("x"), -20));

// S_t = Diag(exp(-g_t * tau_t)) S_{t-1} + (g_t^tau_t * k_t)^T v_t,   g_t = softplus(x_t),   tau_t = sigmoid(t_t), both [HV, K].
inline constexpr auto rodimus = variant("rodimus")
                                    .decay(per_key(-softplus(input("x")) * sigmoid(input("t"))))
                                    .key(exp(sigmoid(input("t")) * rodimus_log_gate) * key())
                                    .checked();
inline constexpr Source rodimus_source{
    .about = "one gate both forgets and selects what is written, to the power of a temperature",
    .title = "Rodimus*: Breaking the Accuracy-Efficiency Trade-Off with Efficient Attentions",
    .authors = "He et al.",
    .arxiv = "2410.06577",
    .open = "Keys are as given: normalize them before. A gate of the values is the caller's."};

}  // namespace rankone::variants
