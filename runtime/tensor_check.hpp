// SPDX-License-Identifier: MIT
// Whether a caller's tensors fit what a program wants, and what sizes they give.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <rankone/tensor.hpp>

#include "codegen/program.hpp"

namespace rankone {

enum class Axis : unsigned char {
  batch,
  tokens,
  heads,
  value_heads,
  key,
  value,
  sequences,
  offsets
};  // offsets: N + 1
inline constexpr std::size_t axis_count = 8;

// A TensorPlan whose axes need no string comparison.
struct TensorForm {
  std::string name;
  dtype type = dtype::f32;
  int rank = 0;
  std::array<Axis, max_rank> axes{};
};
TensorForm form_of(const TensorPlan& plan);

inline bool is_given(const Tensor& tensor) { return tensor.data != nullptr || tensor.rank != 0; }

// Sizes of axes, known from the program or from the first tensor that has them. Everything that does not fit throws
// Error(invalid_argument) that names the tensor.
class Sizes {
 public:
  explicit Sizes(std::string_view where) : where_(where) { size_.fill(-1); }

  bool knows(Axis axis) const { return (*this)[axis] >= 0; }
  std::int64_t operator[](Axis axis) const { return size_[static_cast<std::size_t>(axis)]; }
  void set(Axis axis, std::int64_t size) { size_[static_cast<std::size_t>(axis)] = size; }

  // Rank, type, sizes, last dimension contiguous, alignment of an element, offsets that 64 bits hold.
  void check(const TensorForm& form, const Tensor& tensor);
  void check_contiguous(const TensorForm& form, const Tensor& tensor);  // all of that
  void check_writable(const TensorForm& form, const Tensor& tensor);    // all of check(), and no element twice

  [[noreturn]] void refuse(const std::string& name, std::string message, std::string given, std::string accepted) const;

 private:
  std::string_view where_;
  std::array<std::int64_t, axis_count> size_;

  void check_kind(const TensorForm& form, const Tensor& tensor) const;
  std::string wanted(const TensorForm& form) const;  // "[B = 2, T, H = 3, K = 64]"
};

// Whether the base and all strides that matter are multiples of 16 bytes.
inline bool is_vectorized(const Tensor& tensor) {
  const auto bytes = static_cast<std::int64_t>(size_of(tensor.type));
  if (reinterpret_cast<std::uintptr_t>(tensor.data) % 16 != 0) return false;
  for (std::size_t i = 0; i + 1 < static_cast<std::size_t>(tensor.rank); ++i)
    if (tensor.shape[i] > 1 && tensor.strides[i] * bytes % 16 != 0) return false;
  return true;
}

std::string shape_text(const Tensor& tensor);  // "[2, 4, 3, 64]"

// cu_seqlens as they lie in this process's memory: from 0 to T, never decreasing. Throws Error(invalid_argument).
void check_cu_seqlens(const Tensor& offsets, std::int64_t tokens, std::string_view where);

}  // namespace rankone
