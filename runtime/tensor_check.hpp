// SPDX-License-Identifier: MIT
// Whether a caller's tensors fit what a pass wants, and what sizes they give.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rankone/tensor.hpp>

#include "codegen/ports.hpp"

namespace rankone {

inline bool is_given(const Tensor& tensor) { return tensor.data != nullptr || tensor.rank != 0; }

// Sizes of axes, known from the options or from the first tensor that has them. Everything that does not fit throws
// Error(invalid_argument) that names the tensor.
class Sizes {
 public:
  Sizes(std::string_view where, std::int64_t steps_of_a_token) : where_(where), sizes_(steps_of_a_token) {}

  bool knows(Axis axis) const { return sizes_.knows(axis); }
  std::int64_t operator[](Axis axis) const { return sizes_[axis]; }
  void set(Axis axis, std::int64_t size) { sizes_.set(axis, size); }

  // Rank, type, sizes, last dimension contiguous, or all of them, alignment of an element, offsets that 64 bits hold,
  // and, where it is written, no element twice.
  void check(const Port& port, const Tensor& tensor);

  [[noreturn]] void refuse(const std::string& name, std::string message, std::string given, std::string accepted) const;

 private:
  std::string_view where_;
  AxisSizes sizes_;

  void check_kind(const Port& port, const Tensor& tensor) const;
  std::string wanted(const Port& port) const;  // "[B = 2, T, H = 3, K = 64]"
};

// Whether the port has a fast path, and the base and all strides that matter are aligned as it needs.
inline bool is_vectorized(const Port& port, const Tensor& tensor) {
  const auto unit = static_cast<std::uintptr_t>(port.alignment);
  if (unit == 1 || reinterpret_cast<std::uintptr_t>(tensor.data) % unit != 0) return false;
  const auto bytes = static_cast<std::int64_t>(size_of(tensor.type));
  for (std::size_t i = 0; i + 1 < static_cast<std::size_t>(tensor.rank); ++i)
    if (tensor.shape[i] > 1 && tensor.strides[i] * bytes % port.alignment != 0) return false;
  return true;
}

// Throws Error(invalid_argument) for a view of memory that may not be written.
void require_writable(const std::string& name, const Tensor& tensor, std::string_view where);

std::string shape_text(const Tensor& tensor);  // "[2, 4, 3, 64]"

inline constexpr const char* type_list = "bf16, f16, f32, f64, i32, i64";
// What no tensor can have. Members are anybody's to set; no text is made where there is no fault.
struct TensorFault {
  const char* message;
  std::string given, accepted;
};
std::optional<TensorFault> rank_fault(const Tensor& tensor);
// Of a tensor with such a rank: a size below 0, offsets that 64 bits do not hold, or elements behind a null pointer.
std::optional<TensorFault> memory_fault(const Tensor& tensor);
// Neither of them, and a type: throws Error(invalid_argument). Of what this process reads.
void require_readable(const std::string& where, const Tensor& tensor);

// Of a list of i32 or i64 in this process's memory.
std::int64_t integer_at(const Tensor& list, std::int64_t i);
// Offsets of packed sequences as they lie in this process's memory: from 0 to the `tokens` that the port counts, never
// decreasing. Throws Error(invalid_argument).
void check_offsets(const Port& port, const Tensor& offsets, std::int64_t tokens, std::string_view where);
// Decoding's lists of slots, in this process's memory.
struct RowSlots {
  Tensor read, write;
  bool is_idle(std::int64_t row) const { return integer_at(read, row) == -1 || integer_at(write, row) == -1; }
};
// Each number is -1 or one of `slots`, and no row's slot is written by another row. Throws Error(invalid_argument).
void check_row_slots(const RowSlots& rows, std::int64_t slots, std::string_view where);
// Each of the numbers below T once: how a walk's tokens are ordered. Throws Error(invalid_argument).
void check_order(const Tensor& order, std::string_view where);
// The same for start_positions: from 0 to 2^62, so that positions stay within 64 bits. `rows`: those that are idle may have
// any; null: there are none.
void check_start_positions(const Tensor& starts, const RowSlots* rows, std::string_view where);

}  // namespace rankone
