// SPDX-License-Identifier: MIT
// Sets of axes: what a tensor, a formula or a decay runs over.
#pragma once

#include <initializer_list>

namespace rankone {

// `head` stands for the key heads H, `value_head` for HV, `slot` for the M slots between the passes of a chain. Written
// {Axes::head, Axes::key} or Axes::head | Axes::key.
struct Axes {
  static const Axes none, head, value_head, key, value, slot;
  static const Axes token;      // a token input always has [B, T]: only the domain of a formula says it
  static const Axes automatic;  // of a tensor: those of the formula it stands in

  unsigned char bits = 128;

  constexpr Axes() = default;  // automatic
  constexpr Axes(std::initializer_list<Axes> several) : bits(0) {
    for (const Axes each : several) bits = static_cast<unsigned char>(bits | each.bits);
  }
  static constexpr Axes of_bits(int bits) {
    Axes axes;
    axes.bits = static_cast<unsigned char>(bits);
    return axes;
  }

  constexpr bool has(Axes axis) const { return (bits & axis.bits) != 0; }
  constexpr bool empty() const { return bits == 0; }
  constexpr Axes without(Axes axis) const { return of_bits(bits & ~axis.bits); }
  friend constexpr bool operator==(Axes, Axes) = default;
  friend constexpr Axes operator|(Axes a, Axes b) { return of_bits(a.bits | b.bits); }
};
inline constexpr Axes Axes::none = Axes::of_bits(0), Axes::head = Axes::of_bits(1), Axes::value_head = Axes::of_bits(2),
                      Axes::key = Axes::of_bits(4), Axes::value = Axes::of_bits(8), Axes::token = Axes::of_bits(16),
                      Axes::slot = Axes::of_bits(32), Axes::automatic{};
inline constexpr Axes head_axis = Axes::head, value_head_axis = Axes::value_head, key_axis = Axes::key,
                      value_axis = Axes::value;

}  // namespace rankone
