// SPDX-License-Identifier: MIT
// A view of the caller's memory: pointer, type, shape and strides in elements.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <rankone/dtype.hpp>
#include <rankone/options.hpp>

namespace rankone {

inline constexpr int max_rank = 5;

// Sizes or strides, outermost first: {B, T, H, K}, or any span, array or vector of std::int64_t. It keeps nothing: what
// it was made from has to last as long as the call that it is given to.
class SizeList {
 public:
  SizeList(std::initializer_list<std::int64_t> sizes) { data_ = sizes.begin(), size_ = sizes.size(); }
  template <class Range>
  requires std::convertible_to<const Range&, std::span<const std::int64_t>> SizeList(const Range& sizes) {
    const std::span<const std::int64_t> span = sizes;
    data_ = span.data(), size_ = span.size();
  }

  const std::int64_t* begin() const { return data_; }
  const std::int64_t* end() const { return data_ + size_; }
  std::size_t size() const { return size_; }

 private:
  const std::int64_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// What Tensor::of() takes for a C++ type of elements. A program adds its own 16-bit floats:
//   template <> inline constexpr rankone::dtype rankone::element_type<__nv_bfloat16> = rankone::dtype::bf16;
template <class T> inline constexpr dtype element_type = static_cast<dtype>(255);
template <> inline constexpr dtype element_type<float> = dtype::f32;
template <> inline constexpr dtype element_type<double> = dtype::f64;
template <> inline constexpr dtype element_type<std::int32_t> = dtype::i32;
template <> inline constexpr dtype element_type<std::int64_t> = dtype::i64;
template <class T>
concept Element = element_type<std::remove_const_t<T>>
!= static_cast<dtype>(255) && size_of(element_type<std::remove_const_t<T>>) == sizeof(T);

// Memory that stays the caller's, in the device that the call runs on: at most 5 dimensions, no dimensions are a scalar.
// Without strides it is contiguous and row-major. All that make one throw Error(invalid_argument) for more dimensions,
// or another number of strides than of sizes; whether it fits a call, the call says.
struct Tensor {
  void* data = nullptr;
  dtype type = dtype::f32;
  int rank = 0;
  std::array<std::int64_t, max_rank> shape{};
  std::array<std::int64_t, max_rank> strides{};  // in elements
  bool read_only = false;                        // made by view()

  Tensor() = default;  // absent
  Tensor(void* data, dtype type, SizeList shape);
  Tensor(void* data, dtype type, SizeList shape, SizeList strides);
  // Of memory that may not be written: an input. It is refused wherever a call writes.
  static Tensor view(const void* data, dtype type, SizeList shape);
  static Tensor view(const void* data, dtype type, SizeList shape, SizeList strides);
  // With the type of its elements; of constant elements a view.
  template <Element T> static Tensor of(T* data, SizeList shape) {
    if constexpr (std::is_const_v<T>)
      return view(data, element_type<std::remove_const_t<T>>, shape);
    else
      return Tensor(data, element_type<T>, shape);
  }
  template <Element T> static Tensor of(T* data, SizeList shape, SizeList strides) {
    if constexpr (std::is_const_v<T>)
      return view(data, element_type<std::remove_const_t<T>>, shape, strides);
    else
      return Tensor(data, element_type<T>, shape, strides);
  }

  explicit operator bool() const { return data != nullptr; }
  // Both throw Error(invalid_argument) for a rank that no tensor has, and the first for a size below 0 and for more than
  // 2^63 - 1.
  std::int64_t elements() const;
  bool contiguous() const;  // row-major without gaps
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
struct NamedScalar {
  std::string name;
  double value = 0;
};

// Everything a forward launch reads and writes. Operator::tensors() lists types and axes; an absent tensor is
// default-constructed. The last dimension of each is contiguous; other strides are free, but for states, cu_seqlens,
// start_positions and parameters, which have no gaps. Bases and strides of 16 bytes are fastest.
struct ForwardArguments {
  Tensor q{}, k{}, v{};                // [B, T, H, K], [B, T, H, K], [B, T, HV, V]
  std::vector<NamedTensor> inputs{};   // the variant's token inputs and parameters, by name
  std::vector<NamedScalar> scalars{};  // the variant's named scalars, all of them
  double scale = 0;                    // of the read; 0: the variant's own, or else K^-0.5
  Tensor initial_state{};              // [N, HV, K, V] of state_dtype; absent: zeros
  Tensor cu_seqlens{};                 // int32 or int64 [N + 1], from 0 to T, on the device; then B = 1
  // int64 [N], on the device: position() of each sequence's first token, from 0 to 2^62; absent: 0. The CPU device looks.
  Tensor start_positions{};
  Tensor o{};                        // [B, T, HV, V], written
  Tensor final_state{};              // [N, HV, K, V] of state_dtype, written where it is given
  std::span<std::byte> workspace{};  // on the device, 16-byte aligned, at least workspace_bytes(...); contents are free
};

// Everything that a backward launch reads and writes: what forward() read, the slopes of a loss with respect to what it
// wrote, and those with respect to what it read. Gradients have their tensors' types and shapes, those of parameters are
// float32 without gaps; each is optional, and at least one is given.
struct BackwardArguments {
  Tensor q{}, k{}, v{};  // as forward() had them, and all up to start_positions
  std::vector<NamedTensor> inputs{};
  std::vector<NamedScalar> scalars{};
  double scale = 0;
  Tensor initial_state{};
  Tensor cu_seqlens{};
  Tensor start_positions{};
  Tensor do_{};                          // [B, T, HV, V], of o; sentences and files call it do
  Tensor dfinal_state{};                 // [N, HV, K, V] of state_dtype, of final_state; absent: zeros
  Tensor dq{}, dk{}, dv{};               // written where they are given; there is a dk where the variant reads k
  std::vector<NamedTensor> gradients{};  // of the token inputs and parameters: "dx" is that of "x"
  Tensor dinitial_state{};               // [N, HV, K, V] of state_dtype, that of zeros where there was no initial state
  std::span<std::byte> workspace{};      // at least workspace_bytes(..., Pass::backward)
};

// Everything that decoding reads and writes: N rows, each with T tokens that follow what its state has seen. Strides as
// above, but for `state`, whose slots may stand at any stride, each without gaps.
struct DecodeArguments {
  Tensor q{}, k{}, v{};                // [N, T, H, K], [N, T, H, K], [N, T, HV, V]; T from 1 to 8
  std::vector<NamedTensor> inputs{};   // the variant's token inputs and parameters, by name
  std::vector<NamedScalar> scalars{};  // the variant's named scalars, all of them
  double scale = 0;                    // of the read; 0: the variant's own, or else K^-0.5
  Tensor state{};                      // [P, HV, K, V] of state_dtype, a pool of slots, updated in place
  // int32 [N], on the device: the slots that each row's state is read from and written to, the same one or not. Where either
  // is -1 the row does nothing: none of its outputs changes. A slot that a row writes no other may read or write. The CPU
  // device refuses what breaks this; on a GPU a number that is no slot counts as -1.
  Tensor state_read{}, state_write{};
  Tensor
      start_positions{};  // int64 [N], on the device: position() of each row's first token, where the variant reads it
  Tensor o{};             // [N, T, HV, V], written
  Tensor token_states{};  // [N, T, HV, K, V] of state_dtype: the state after each token, written where it is given
  std::span<std::byte> workspace{};  // of a chain, at least workspace_bytes(..., Pass::decode); of others that is 0
};

}  // namespace rankone
