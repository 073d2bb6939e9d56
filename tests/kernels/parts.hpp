// SPDX-License-Identifier: MIT
// Variants with parts that not every family has a form in chunks for, beside those of the catalogue.
#pragma once

#include <rankone/dsl.hpp>

namespace rankone::test::parts {

inline constexpr Variant before =
    variant("before").decay(per_head(input("g"))).write_scale(sigmoid(input("b"))).exclusive().checked();
inline constexpr Variant before_keys =
    variant("before_keys").decay(per_key(input("g"))).key(key() * (1 - decay() / 2)).exclusive().checked();
// A weight that is not finite where there is no key.
inline constexpr Variant bonus = variant("bonus")
                                     .decay(per_head(input("g")))
                                     .feature_map(silu)
                                     .write_scale(sigmoid(input("b")))
                                     .bonus(log(square(input("u"))) + param("c") * head())
                                     .checked();
inline constexpr Variant backwards =
    variant("backwards").decay(per_key(input("g"))).write_scale(1 / (1 + position() / 64)).reversed().checked();
inline constexpr Variant backwards_before =
    variant("backwards_before").decay(per_head(input("g"))).exclusive().reversed().checked();
inline constexpr Variant backwards_bonus =
    variant("backwards_bonus").decay(per_key(input("g"))).bonus(param("u")).reversed().checked();
// Written values that are not those that the output reads.
inline constexpr Variant formulas = variant("formulas")
                                        .decay(per_key(input("g")))
                                        .query(query() * (1 - decay() / 2) - key() / 4)
                                        .value(input("w") * value() + param("c"))
                                        .output(read() * sigmoid(input("z")) + param("D") * value())
                                        .checked();
// What is not there is not written either.
inline constexpr Variant shifted = variant("shifted")
                                       .query(query() * input("s", value_head_axis))
                                       .value(silu(value()) + 1)
                                       .output(2 * read() - input("t", value_head_axis))
                                       .checked();

// Value columns that decay, alone, and beside keys.
inline constexpr Variant columns =
    variant("columns").decay(per_value(input("g"))).write_scale(sigmoid(input("b"))).checked();
inline constexpr Variant columns_before = variant("columns_before")
                                              .decay(per_value(input("g")))
                                              .value(silu(value()))
                                              .output(read() + value())
                                              .exclusive()
                                              .checked();
inline constexpr Variant columns_earlier =
    variant("columns_earlier").decay(per_value(input("g"))).exclusive().checked();
inline constexpr Variant columns_bonus =
    variant("columns_bonus").decay(per_value(input("g"))).write_scale(sigmoid(input("b"))).bonus(input("u")).checked();
inline constexpr Variant sides_before = variant("sides_before")
                                            .decay(outer(input("g"), log_sigmoid(input("x") + param("c"))))
                                            .write_scale(sigmoid(input("b")))
                                            .exclusive()
                                            .checked();
inline constexpr Variant sides = variant("sides")
                                     .decay(outer(log_sigmoid(input("x")), log_sigmoid(input("h"))))
                                     .bonus(param("u"))
                                     .reversed()
                                     .checked();

// A normaliser, decayed, written and read as a value column of ones.
inline constexpr Variant normalised = variant("normalised")
                                          .decay(per_head(input("g")))
                                          .feature_map(square(element()) + 0.25)
                                          .write_scale(sigmoid(input("b")))
                                          .exclusive()
                                          .normalised(0.25)
                                          .checked();
inline constexpr Variant normalised_keys = variant("normalised_keys")
                                               .decay(per_key(input("g")))
                                               .feature_map(square(element()) + 0.25)
                                               .key(key() / 2)
                                               .bonus(sigmoid(param("u")))
                                               .output(read() * sigmoid(input("z")) + param("D") * value())
                                               .normalised(0.25)
                                               .reversed()
                                               .checked();
inline constexpr Variant normalised_alike = variant("normalised_alike")
                                                .decay(constant(-softplus(param("a"))))
                                                .feature_map(relu)
                                                .value(silu(value()))
                                                .output(2 * read() - normaliser() / 64)
                                                .checked();

inline constexpr const Variant* all[] = {
    &columns,  &columns_before, &columns_earlier, &columns_bonus,   &sides_before,     &sides,
    &before,   &before_keys,    &bonus,           &backwards,       &backwards_before, &backwards_bonus,
    &formulas, &shifted,        &normalised,      &normalised_keys, &normalised_alike};

}  // namespace rankone::test::parts
