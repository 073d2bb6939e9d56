// SPDX-License-Identifier: MIT
// Whether a caller's tensors fit what a program wants, and what sizes they give.
#include "runtime/tensor_check.hpp"

#include <algorithm>
#include <cmath>

#include <rankone/error.hpp>

namespace rankone {
namespace {

constexpr const char* axis_names[axis_count] = {"B", "T", "H", "HV", "K", "V", "N", "N+1"};

constexpr double most_reach = 0x1p59;  // elements; 8 bytes each still fit in 64 bits

std::string list_text(const std::array<std::int64_t, max_rank>& numbers, int rank) {
  std::string text = "[";
  for (int i = 0; i < rank; ++i) text += (i > 0 ? ", " : "") + std::to_string(numbers[static_cast<std::size_t>(i)]);
  return text + "]";
}

std::size_t rank_of(const Tensor& tensor) { return static_cast<std::size_t>(tensor.rank); }

bool is_empty(const Tensor& tensor) {
  return std::any_of(tensor.shape.begin(), tensor.shape.begin() + tensor.rank,
                     [](std::int64_t size) { return size == 0; });
}

// Whether two elements may share an address: with the strides in order, each has to pass over all that smaller ones
// reach.
bool overlaps(const Tensor& tensor) {
  std::array<std::pair<std::int64_t, std::int64_t>, max_rank> dimensions;  // stride, size
  std::size_t count = 0;
  for (std::size_t i = 0; i < rank_of(tensor); ++i) {
    if (tensor.shape[i] <= 1) continue;
    const std::pair next{std::abs(tensor.strides[i]), tensor.shape[i]};
    std::size_t at = count++;
    for (; at > 0 && next < dimensions[at - 1]; --at) dimensions[at] = dimensions[at - 1];
    dimensions[at] = next;
  }
  std::int64_t reach = 1;
  for (std::size_t i = 0; i < count; ++i) {
    if (dimensions[i].first < reach) return true;
    reach += dimensions[i].first * (dimensions[i].second - 1);  // check_kind has seen that this fits
  }
  return false;
}

}  // namespace

TensorForm form_of(const TensorPlan& plan) {
  TensorForm form{plan.name, plan.type, static_cast<int>(plan.axes.size()), {}};
  for (std::size_t i = 0; i < plan.axes.size(); ++i) {
    const auto found = std::find(std::begin(axis_names), std::end(axis_names), plan.axes[i]);
    if (found == std::end(axis_names) || i >= static_cast<std::size_t>(max_rank))
      throw Error(ErrorCode::internal, "a plan's tensor has an unknown axis", plan.axes[i], {}, plan.name);
    form.axes[i] = static_cast<Axis>(found - std::begin(axis_names));
  }
  return form;
}

std::string shape_text(const Tensor& tensor) { return list_text(tensor.shape, tensor.rank); }

std::string Sizes::wanted(const TensorForm& form) const {
  std::string text = "[";
  for (std::size_t i = 0; i < static_cast<std::size_t>(form.rank); ++i) {
    const Axis axis = form.axes[i];
    text += std::string(i > 0 ? ", " : "") + axis_names[static_cast<std::size_t>(axis)];
    if (knows(axis)) text += " = " + std::to_string((*this)[axis]);
  }
  return text + "]";
}

void Sizes::refuse(const std::string& name, std::string message, std::string given, std::string accepted) const {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted),
              std::string(where_) + ", tensor '" + name + "'");
}

void Sizes::check_kind(const TensorForm& form, const Tensor& tensor) const {
  if (!is_given(tensor))
    refuse(form.name, "the tensor is missing", "nothing", wanted(form) + " of " + name_of(form.type));
  if (tensor.type != form.type) refuse(form.name, "another type is wanted", name_of(tensor.type), name_of(form.type));
  if (tensor.rank != form.rank) refuse(form.name, "another rank is wanted", shape_text(tensor), wanted(form));
  double reach = 0;
  for (std::size_t i = 0; i < rank_of(tensor); ++i) {
    if (tensor.shape[i] < 0) refuse(form.name, "a size is negative", shape_text(tensor), wanted(form));
    if (tensor.shape[i] > 1)
      reach += static_cast<double>(tensor.shape[i]) * std::abs(static_cast<double>(tensor.strides[i]));
  }
  if (is_empty(tensor)) return;
  if (reach > most_reach)
    refuse(form.name, "offsets do not fit in 64 bits", "strides " + list_text(tensor.strides, tensor.rank),
           "strides that reach 2^59 elements at most");
  if (tensor.data == nullptr) refuse(form.name, "the pointer is null", shape_text(tensor), "memory of the device");
  if (const std::size_t beyond = reinterpret_cast<std::uintptr_t>(tensor.data) % size_of(tensor.type); beyond != 0)
    refuse(form.name, "the pointer is not aligned", "an address " + std::to_string(beyond) + " bytes past a multiple",
           "a multiple of " + std::to_string(size_of(tensor.type)) + " bytes");
}

void Sizes::check(const TensorForm& form, const Tensor& tensor) {
  check_kind(form, tensor);
  for (std::size_t i = 0; i < static_cast<std::size_t>(form.rank); ++i) {
    const Axis axis = form.axes[i];
    if (knows(axis) && (*this)[axis] != tensor.shape[i])
      refuse(form.name, "the shape does not fit", shape_text(tensor), wanted(form));
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(form.rank); ++i) set(form.axes[i], tensor.shape[i]);
  if (const std::size_t rank = rank_of(tensor); rank > 0 && tensor.shape[rank - 1] > 1 && tensor.strides[rank - 1] != 1)
    refuse(form.name, "the last dimension is not contiguous", "strides " + list_text(tensor.strides, tensor.rank),
           "stride 1 in the last dimension");
}

void Sizes::check_contiguous(const TensorForm& form, const Tensor& tensor) {
  check(form, tensor);
  if (!tensor.contiguous())
    refuse(form.name, "the tensor is not contiguous", "strides " + list_text(tensor.strides, tensor.rank),
           "a row-major tensor without gaps");
}

void Sizes::check_writable(const TensorForm& form, const Tensor& tensor) {
  check(form, tensor);
  if (!is_empty(tensor) && overlaps(tensor))
    refuse(form.name, "elements of an output share memory", "strides " + list_text(tensor.strides, tensor.rank),
           "strides under which no two elements meet");
}

void check_cu_seqlens(const Tensor& offsets, std::int64_t tokens, std::string_view where) {
  const auto at = [&](std::int64_t n) {
    const std::int64_t i = n * offsets.strides[0];
    return offsets.type == dtype::i64 ? static_cast<const std::int64_t*>(offsets.data)[i]
                                      : std::int64_t{static_cast<const std::int32_t*>(offsets.data)[i]};
  };
  const auto refuse = [&](const char* message, std::int64_t i) {
    throw Error(ErrorCode::invalid_argument, message,
                "cu_seqlens[" + std::to_string(i) + "] = " + std::to_string(at(i)),
                "offsets that never decrease, between 0 and T = " + std::to_string(tokens),
                std::string(where) + ", tensor 'cu_seqlens'");
  };
  for (std::int64_t i = 0; i < offsets.shape[0]; ++i) {
    if (at(i) < 0) refuse("an offset is negative", i);
    if (at(i) > tokens) refuse("an offset overruns the tokens", i);
    if (i > 0 && at(i) < at(i - 1)) refuse("offsets decrease", i);
  }
}

}  // namespace rankone
