// SPDX-License-Identifier: MIT
// Element types of tensors.
#pragma once

#include <cstddef>
#include <iterator>

namespace rankone {

enum class dtype : unsigned char { bf16, f16, f32, f64, i32, i64 };

constexpr std::size_t size_of(dtype type) {
  return type == dtype::f64 || type == dtype::i64 ? 8 : type == dtype::f32 || type == dtype::i32 ? 4 : 2;
}
constexpr const char* name_of(dtype type) {
  constexpr const char* names[] = {"bf16", "f16", "f32", "f64", "i32", "i64"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(names) ? names[index] : "no element type";
}

}  // namespace rankone
