// SPDX-License-Identifier: MIT
// Variants whose values erase, beside that of the catalogue: by vectors of their own, of the state before it decays, in several
// steps, in both directions.
#pragma once

#include "tests/kernels/cases.hpp"

namespace rankone::test::value_erasures {

inline constexpr Variant apart = variant("values_apart")
                                     .decay(per_key(-softplus(input("x"))))
                                     .value(silu(value()) + input("w") / 8)
                                     .value_erase(sigmoid(input("b") + param("c", value_head_axis)))
                                     .value_erase_read(value() * sigmoid(input("w")))
                                     .value_erase_write(value() * sigmoid(param("d")))
                                     .output(read() * sigmoid(value()))
                                     .checked();
inline constexpr Variant undecayed =
    variant("values_undecayed")
        .decay(full(-softplus(input("x", value_head_axis | key_axis) + input("y", value_head_axis | value_axis))))
        .value_erase(sigmoid(input("b")))
        .erase_undecayed()
        .bonus(param("u"))
        .reversed()
        .checked();
inline constexpr Variant steps =
    variant("values_steps").decay(per_head(input("g"))).value_erase(sigmoid(input("b"))).exclusive().steps(2).checked();
inline constexpr Variant both = variant("values_both")
                                    .decay(per_value(-softplus(input("y"))))
                                    .value_erase(sigmoid(input("b")))
                                    .output(read() * sigmoid(read()))
                                    .bidirectional()
                                    .checked();

inline std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const Variant* variant : {&apart, &undecayed, &steps, &both})
    for (const Numbers& numbers : all_numbers)
      if (numbers.precision == Precision::tf32)
        cases.push_back({variant, Level::automatic, numbers, Family::recurrent});
  return cases;
}

}  // namespace rankone::test::value_erasures
