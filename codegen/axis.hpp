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
  steps,
  heads,
  value_heads,
  key,
  value,
  sequences,
  offsets,
  slots,
  feature,
  key_tokens,
  memory_slot  // of a chain, between its passes
};

inline constexpr std::size_t axis_count = 13;
constexpr const char* name_of(Axis axis) {
  constexpr const char* names[axis_count] = {"B", "T", "T*R", "H", "HV", "K", "V", "N", "N+1", "P", "F", "Tk", "M"};
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
  // Of a non-causal variant queries and keys are counted apart, and a token may have several steps.
  constexpr bool has_tokens() const { return has(Axis::tokens) || has(Axis::key_tokens) || has(Axis::steps); }
  friend constexpr bool operator==(const AxisList&, const AxisList&) = default;

 private:
  std::array<Axis, most_axes> axes_{};
  std::size_t size_ = 0;
};

// Of a state's rows: those of keys, or of features where a variant has more or fewer of them.
constexpr bool runs_over_keys(const AxisList& axes) { return axes.has(Axis::key) || axes.has(Axis::feature); }

// Whether a tensor has columns of any kind.
constexpr bool has_columns(const AxisList& axes) {
  return runs_over_keys(axes) || axes.has(Axis::value) || axes.has(Axis::memory_slot);
}

inline std::vector<std::string> names_of(const AxisList& axes) {
  std::vector<std::string> names;
  for (const Axis axis : axes) names.emplace_back(name_of(axis));
  return names;
}

// Sizes as far as they are known. Offsets are one more than sequences, and steps so many for each token, whichever of the
// two is known.
class AxisSizes {
 public:
  constexpr explicit AxisSizes(std::int64_t steps_of_a_token = 1) : steps_(steps_of_a_token) { sizes_.fill(-1); }
  constexpr bool knows(Axis axis) const { return sizes_[place_of(axis)] >= 0; }
  constexpr std::int64_t operator[](Axis axis) const {
    const std::int64_t size = sizes_[place_of(axis)];
    if (size < 0) return size;
    return axis == Axis::offsets ? size + 1 : axis == Axis::steps ? size * steps_ : size;
  }
  // What cannot be is kept as another size: who sets it compares.
  constexpr void set(Axis axis, std::int64_t size) {
    sizes_[place_of(axis)] = axis == Axis::offsets ? size - 1 : axis == Axis::steps ? size / steps_ : size;
  }
  // The axis whose size this one's follows from.
  static constexpr Axis counted_as(Axis axis) {
    return axis == Axis::offsets ? Axis::sequences : axis == Axis::steps ? Axis::tokens : axis;
  }

 private:
  static constexpr std::size_t place_of(Axis axis) { return static_cast<std::size_t>(counted_as(axis)); }
  std::int64_t steps_;
  std::array<std::int64_t, axis_count> sizes_{};
};

}  // namespace rankone
