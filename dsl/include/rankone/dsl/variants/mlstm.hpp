// SPDX-License-Identifier: MIT
// Of the catalogue: mLSTM.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = sigmoid(f_t) S_{t-1} + exp(i_t) k_t^T v_t,   z_t = sigmoid(f_t) z_{t-1} + exp(i_t) k_t,
// o_t = scale q_t S_t / max(|scale q_t z_t|, 1); both in units of exp(m_t), m_t = max(log sigmoid(f_t) + m_{t-1}, i_t)
inline constexpr auto mlstm = variant("mlstm")
                                  .decay(per_head(log_sigmoid(input("f"))))
                                  .write_log_scale(input("i"))
                                  .output(read() / max(abs(normaliser()), unit()))
                                  .checked();
inline constexpr Source mlstm_source{
    .about = "mLSTM: an exponential input gate, a forget gate and a normaliser",
    .title = "xLSTM: Extended Long Short-Term Memory",
    .authors = "Beck et al.",
    .arxiv = "2405.04517",
    .open =
        "f and i are gates before their activations; the forget gate is the sigmoid of the two that the paper offers. The "
        "output gate and the norm are the layer's."};

}  // namespace rankone::variants
