// SPDX-License-Identifier: MIT
// Linear attention without decay.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = S_{t-1} + k_t^T v_t
// Katharopoulos et al., Transformers are RNNs, arXiv 2006.16236; without its normaliser.
inline constexpr auto linear = variant("linear").checked();

}  // namespace rankone::variants
