// SPDX-License-Identifier: MIT
// Variants whose feature maps have a dimension of their own, beside those of the catalogue.
#pragma once

#include <rankone/dsl.hpp>

namespace rankone::test::features {

// By position, which decoding goes on with.
inline constexpr Variant waves = variant("waves")
                                     .decay(per_head(input("g")))
                                     .feature_map(concatenate(relu(element()) * cos(position() * scalar("pace")),
                                                              relu(element()) * sin(position() * scalar("pace"))))
                                     .write_scale(sigmoid(input("b")))
                                     .checked();
// Sums of each piece over its own elements, beside a piece that has none, and of all features together.
inline constexpr Variant weights = variant("weights")
                                       .decay(per_key(input("g")))
                                       .feature_map(concatenate(softmax(element()), 1, softmax(-element())))
                                       .key(l2_normalize(key()) * param("c", key_axis))
                                       .erase(sigmoid(input("b")))
                                       .checked();
inline constexpr Variant series = variant("series")
                                      .decay(outer(log_sigmoid(input("x")), log_sigmoid(input("h"))))
                                      .feature_map(taylor)
                                      .bonus(param("u"))
                                      .checked();
// No product of both, whose slopes would be alike.
inline constexpr Variant pairs = variant("pairs")
                                     .decay(full(-softplus(input("y", value_head_axis | key_axis) + param("w"))))
                                     .feature_map(tanh(element()) * square(other()) + (head() + 1) / heads())
                                     .query(query() * input("z", value_head_axis) - key() / 4)
                                     .reversed()
                                     .checked();
inline constexpr Variant numbers =
    variant("numbers").feature_map(concatenate(exp(-square(element())), element() / keys(), cos(position()))).checked();

inline constexpr const Variant* all[] = {&waves, &weights, &series, &pairs, &numbers};

}  // namespace rankone::test::features
