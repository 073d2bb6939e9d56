// SPDX-License-Identifier: MIT
// Of the catalogue: GateLoop.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(sigmoid(a_t) exp(i theta_t)) S_{t-1} + k_t^T v_t,   o_t = q_t Re(S_t)
inline constexpr auto gateloop =
    variant("gateloop").decay(per_key(log_sigmoid(input("a")))).phase(per_key(input("theta"))).scale(1).checked();
inline constexpr Source gateloop_source{
    .about = "a complex decay for each key: a magnitude, and a phase that turns the state",
    .title = "GateLoop: Fully Data-Controlled Linear Recurrence for Sequence Modeling",
    .authors = "Katsch",
    .arxiv = "2311.01927",
    .open = "a is the magnitude before its sigmoid, theta the phase in radians. What gates the output is the layer's."};

}  // namespace rankone::variants
