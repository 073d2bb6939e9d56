// SPDX-License-Identifier: MIT
// Of the catalogue: cosFormer.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// phi_t(x) = [relu(x) cos(pi t / 2M), relu(x) sin(pi t / 2M)],   S_t = S_{t-1} + phi_t(k_t)^T v_t,
// o_t = phi_t(q_t) S_t / sum_s phi_t(q_t).phi_s(k_s)
inline constexpr auto cosformer = [] {
  const Expression angle = position() * 1.5707963267948966 / scalar("length");
  const Expression map = concatenate(relu(element()) * cos(angle), relu(element()) * sin(angle));
  return variant("cosformer").feature_map(map).scale(1).normalised(1e-6);
}();
static_assert(!judge(cosformer));
inline constexpr Source cosformer_source{
    .about = "rectified queries and keys, reweighted by the cosine of their distance, normalised",
    .title = "cosFormer: Rethinking Softmax in Attention",
    .authors = "Qin et al.",
    .arxiv = "2202.08791",
    .open =
        "M is the scalar length, at least that of the longest sequence: beyond it weights are negative. The paper leaves the "
        "epsilon open."};

}  // namespace rankone::variants
