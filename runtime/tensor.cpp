// SPDX-License-Identifier: MIT
// A view of the caller's memory: pointer, type, shape and strides in elements.
#include <rankone/tensor.hpp>

#include <algorithm>

#include <rankone/buffer.hpp>
#include <rankone/error.hpp>

#include "runtime/tensor_check.hpp"

namespace rankone {
namespace {

void set_shape(Tensor& tensor, SizeList sizes) {
  const std::int64_t* const shape = sizes.begin();
  const std::size_t rank = sizes.size();
  if (rank > static_cast<std::size_t>(max_rank))
    throw Error(ErrorCode::invalid_argument, "a tensor has too many dimensions", std::to_string(rank),
                "at most " + std::to_string(max_rank), "tensor");
  tensor.rank = static_cast<int>(rank);
  std::int64_t stride = 1;
  for (std::size_t i = rank; i-- > 0;) {
    tensor.shape[i] = shape[i];
    tensor.strides[i] = stride;
    // A size of 0 or below leaves no element to address; a product past 64 bits is refused where it is used.
    if (__builtin_mul_overflow(stride, std::max<std::int64_t>(shape[i], 1), &stride)) stride = 0;
  }
}

void require_rank(const Tensor& tensor) {
  if (const auto fault = rank_fault(tensor))
    throw Error(ErrorCode::invalid_argument, fault->message, fault->given, fault->accepted, "tensor");
}

}  // namespace

Tensor::Tensor(void* data, dtype type, SizeList shape) : data(data), type(type) { set_shape(*this, shape); }

Tensor::Tensor(void* data, dtype type, SizeList shape, SizeList strides) : Tensor(data, type, shape) {
  if (strides.size() != shape.size())
    throw Error(ErrorCode::invalid_argument, "a tensor needs one stride for each dimension",
                std::to_string(strides.size()), std::to_string(shape.size()), "tensor");
  std::copy(strides.begin(), strides.end(), this->strides.begin());
}

Tensor Tensor::view(const void* data, dtype type, SizeList shape) {
  Tensor tensor(const_cast<void*>(data), type, shape);  // read_only says that nobody writes
  tensor.read_only = true;
  return tensor;
}

Tensor Tensor::view(const void* data, dtype type, SizeList shape, SizeList strides) {
  Tensor tensor(const_cast<void*>(data), type, shape, strides);
  tensor.read_only = true;
  return tensor;
}

Tensor Buffer::tensor(dtype type, SizeList shape) const {
  if (type > dtype::i64)
    throw Error(ErrorCode::invalid_argument, "a type that is none", "number " + std::to_string(static_cast<int>(type)),
                type_list, "Buffer");
  const Tensor tensor(data_, type, shape);
  if (const auto elements = static_cast<double>(tensor.elements());
      elements * static_cast<double>(size_of(type)) > static_cast<double>(bytes_))
    throw Error(ErrorCode::invalid_argument, "the tensor does not fit in the buffer",
                std::to_string(tensor.elements()) + " elements of " + name_of(type),
                "what " + std::to_string(bytes_) + " bytes hold", "Buffer");
  return tensor;
}

std::int64_t Tensor::elements() const {
  require_rank(*this);
  const auto end = shape.begin() + rank;
  if (std::any_of(shape.begin(), end, [](std::int64_t size) { return size < 0; }))
    throw Error(ErrorCode::invalid_argument, "a size is negative", shape_text(*this), "sizes from 0", "tensor");
  if (std::find(shape.begin(), end, 0) != end) return 0;
  std::int64_t count = 1;
  for (int i = 0; i < rank; ++i)
    if (__builtin_mul_overflow(count, shape[static_cast<std::size_t>(i)], &count))
      throw Error(ErrorCode::invalid_argument, "a tensor has more elements than 64 bits count",
                  "a shape of " + std::to_string(rank) + " sizes up to " +
                      std::to_string(*std::max_element(shape.begin(), shape.begin() + rank)),
                  "at most 2^63 - 1 elements", "tensor");
  return count;
}

bool Tensor::contiguous() const {
  require_rank(*this);
  if (std::find(shape.begin(), shape.begin() + rank, 0) != shape.begin() + rank) return true;  // no elements
  std::int64_t expected = 1;
  for (std::size_t i = static_cast<std::size_t>(rank); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    if (__builtin_mul_overflow(expected, shape[i], &expected)) return false;  // no memory is so large
  }
  return true;
}

}  // namespace rankone
