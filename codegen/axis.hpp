// SPDX-License-Identifier: MIT
// What the dimensions of tensors count: one table of names, and the sizes of one call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace rankone {

enum class Axis : unsigned char {
  batch,
  tokens,
  heads,
  value_heads,
  key,
  value,
  sequences,
  offsets,
  slots,
  feature,
  key_tokens
};

inline constexpr std::size_t axis_count = 11;
constexpr const char* name_of(Axis axis) {
  constexpr const char* names[axis_count] = {"B", "T", "H", "HV", "K", "V", "N", "N+1", "P", "F", "Tk"};
  return names[static_cast<std::size_t>(axis)];
}

inline constexpr std::size_t most_axes = 5;

// The axes of a tensor, outermost first.
class AxisList {
 public:
  constexpr AxisList() = default;
  constexpr AxisList(std::initializer_list<Axis> axes) {
    for (const Axis axis : axes) add(axis);
  }
  constexpr void add(Axis axis) { axes_[size_++] = axis; }

  constexpr std::size_t size() const { return size_; }
  constexpr Axis operator[](std::size_t i) const { return axes_[i]; }
  constexpr const Axis* begin() const { return axes_.data(); }
  constexpr const Axis* end() const { return axes_.data() + size_; }
  constexpr bool has(Axis wanted) const {
    for (const Axis axis : *this)
      if (axis == wanted) return true;
    return false;
  }
  // Of a non-causal variant queries and keys are counted apart.
  constexpr bool has_tokens() const { return has(Axis::tokens) || has(Axis::key_tokens); }
  friend constexpr bool operator==(const AxisList&, const AxisList&) = default;

 private:
  std::array<Axis, most_axes> axes_{};
  std::size_t size_ = 0;
};

// Of a state's rows: those of keys, or of features where a variant has more or fewer of them.
constexpr bool runs_over_keys(const AxisList& axes) { return axes.has(Axis::key) || axes.has(Axis::feature); }

inline std::vector<std::string> names_of(const AxisList& axes) {
  std::vector<std::string> names;
  for (const Axis axis : axes) names.emplace_back(name_of(axis));
  return names;
}

// Sizes as far as they are known. Offsets are one more than sequences, whichever of the two is known.
class AxisSizes {
 public:
  constexpr AxisSizes() { sizes_.fill(-1); }
  constexpr bool knows(Axis axis) const { return sizes_[place_of(axis)] >= 0; }
  constexpr std::int64_t operator[](Axis axis) const {
    const std::int64_t size = sizes_[place_of(axis)];
    return axis == Axis::offsets && size >= 0 ? size + 1 : size;
  }
  constexpr void set(Axis axis, std::int64_t size) { sizes_[place_of(axis)] = axis == Axis::offsets ? size - 1 : size; }

 private:
  static constexpr std::size_t place_of(Axis axis) {
    return static_cast<std::size_t>(axis == Axis::offsets ? Axis::sequences : axis);
  }
  std::array<std::int64_t, axis_count> sizes_{};
};

}  // namespace rankone
