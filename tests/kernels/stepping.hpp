// SPDX-License-Identifier: MIT
// Variants with several steps a token, beside those of the catalogue: inputs that a token has once in formulas of its first
// and of its last step, and inputs of each step.
#pragma once

#include "tests/kernels/cases.hpp"

namespace rankone::test::stepping {

inline constexpr Variant keys = variant("steps_keys")
                                    .decay(per_key(-softplus(input("x"))))
                                    .query(query() * sigmoid(input("x")))
                                    .key(key() * sigmoid(input("s")) / 2)
                                    .write_scale(sigmoid(input("b") + param("c", value_head_axis)))
                                    .output(read() * sigmoid(input("z")))
                                    .steps(3)
                                    .checked();
inline constexpr Variant before =
    variant("steps_before")
        .decay(full(-softplus(input("x", value_head_axis | key_axis) + input("y", value_head_axis | value_axis))))
        .erase(sigmoid(input("b")))
        .value(silu(value()) + input("w"))
        .output(read() + input("y"))
        .exclusive()
        .reversed()
        .steps(2)
        .checked();
inline constexpr Variant heads = variant("steps_heads")
                                     .decay(per_head(input("g")))
                                     .query(query() * exp(input("g", value_head_axis) / 8))
                                     .feature_map(silu)
                                     .steps(4)
                                     .checked();

inline std::vector<Case> cases() { return cases_by_token({&keys, &before, &heads}); }

}  // namespace rankone::test::stepping
