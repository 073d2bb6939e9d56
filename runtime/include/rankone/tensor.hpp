// SPDX-License-Identifier: MIT
// A view of the caller's memory: pointer, type, shape and strides in elements.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rankone/dtype.hpp>
#include <rankone/options.hpp>

namespace rankone {

inline constexpr int max_rank = 4;

struct Tensor {
  void* data = nullptr;
  dtype type = dtype::f32;
  int rank = 0;
  std::array<std::int64_t, max_rank> shape{};
  std::array<std::int64_t, max_rank> strides{};  // in elements
  bool read_only = false;                        // made by view()

  Tensor() = default;
  // A contiguous, row-major tensor of at most 4 dimensions, in memory that stays the caller's; no dimensions are a
  // scalar. All throw Error(invalid_argument) for more dimensions, or another number of strides.
  Tensor(void* data, dtype type, std::initializer_list<std::int64_t> shape);
  Tensor(void* data, dtype type, std::initializer_list<std::int64_t> shape,
         std::initializer_list<std::int64_t> strides);
  Tensor(void* data, dtype type, std::span<const std::int64_t> shape);
  // Of memory that may not be written: an input. It is refused wherever a call writes.
  static Tensor view(const void* data, dtype type, std::initializer_list<std::int64_t> shape);
  static Tensor view(const void* data, dtype type, std::span<const std::int64_t> shape);

  explicit operator bool() const { return data != nullptr; }
  std::int64_t elements() const;
  bool contiguous() const;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
struct NamedScalar {
  std::string name;
  double value = 0;
};

// Everything a forward launch reads and writes. Shapes and strides: README, "Tensors".
// An absent tensor is default-constructed; `scale` 0 takes the variant's own.
struct ForwardArguments {
  Tensor q{}, k{}, v{};                // [B, T, H, K], [B, T, H, K], [B, T, HV, V]
  std::vector<NamedTensor> inputs{};   // the variant's token inputs and parameters, by name
  std::vector<NamedScalar> scalars{};  // the variant's named scalars
  double scale = 0;
  Tensor initial_state{};    // [N, HV, K, V] float32
  Tensor cu_seqlens{};       // int32 or int64 [N + 1], on the device; then B = 1
  Tensor start_positions{};  // int64 [N], on the device: position() of each sequence's first token; absent: 0
  Tensor o{};                // [B, T, HV, V]
  Tensor final_state{};      // [N, HV, K, V] float32
  Tensor workspace{};        // at least workspace_bytes(...) bytes, 16-byte aligned
};

}  // namespace rankone
