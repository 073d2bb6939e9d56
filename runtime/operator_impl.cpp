// SPDX-License-Identifier: MIT
// Launches: check, count blocks, hand over.
#include "runtime/operator_impl.hpp"

#include <limits>

#include <rankone/error.hpp>

namespace rankone {
namespace {

// The launch limit of a grid's first dimension; grids here have no other.
constexpr std::int64_t most_blocks = std::numeric_limits<std::int32_t>::max();

std::string text_of(const Shape& shape) {
  return "B = " + std::to_string(shape.batch) + ", T = " + std::to_string(shape.tokens) +
         ", H = " + std::to_string(shape.heads) + ", HV = " + std::to_string(shape.value_heads) +
         (shape.sequences != 0 ? ", N = " + std::to_string(shape.sequences) : "");
}

std::size_t index_of(const Plan& plan, KernelRole role) {
  for (std::size_t i = 0; i < plan.kernels.size(); ++i)
    if (plan.kernels[i].role == role) return i;
  throw Error(ErrorCode::internal, "a plan lacks a kernel", {}, {}, std::string(plan.variant.name.view()));
}

}  // namespace

OperatorImpl::OperatorImpl(Plan plan, std::string text, std::string origin, const Device& device)
    : plan_(std::move(plan)), text_(std::move(text)), origin_(std::move(origin)), device_(device),
      kernels_(device.backend().load(plan_, text_)), checker_(plan_, device.is_cpu()),
      states_(index_of(plan_, KernelRole::states)), combine_(index_of(plan_, KernelRole::combine)) {
  if (plan_.schedule.level == Level::serial) forward_ = {index_of(plan_, KernelRole::scan)};
  else forward_ = {states_, index_of(plan_, KernelRole::output)};
}

void OperatorImpl::forward(const ForwardArguments& given, void* stream) const {
  launch(checker_.forward(given), forward_.data(), forward_.size(), stream);
}

void OperatorImpl::states(const ForwardArguments& given, const Tensor& log_decay_total, void* stream) const {
  launch(checker_.states(given, log_decay_total), &states_, 1, stream);
}

void OperatorImpl::combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier, void* stream) const {
  launch(checker_.combine(state, log_decay_total, earlier), &combine_, 1, stream);
}

void OperatorImpl::launch(const Call& call, const std::size_t* first, std::size_t count, void* stream) const {
  if (call.empty) return;
  // All are counted before any is launched: a call happens whole or not at all.
  constexpr std::size_t most_kernels = 2;
  std::int64_t blocks[most_kernels] = {};
  for (std::size_t i = 0; i < count; ++i) {
    blocks[i] = block_count(plan_, plan_.kernels[first[i]], call.shape);
    if (blocks[i] > most_blocks)
      throw Error(ErrorCode::unsupported, "the launch needs " + std::to_string(blocks[i]) + " blocks", text_of(call.shape),
                  "at most 2^31 - 1 blocks: fewer sequences or heads in one call", std::string(plan_.variant.name.view()));
  }
  for (std::size_t i = 0; i < count; ++i)
    if (blocks[i] > 0) kernels_->launch(first[i], call.arguments, blocks[i], stream);
}

std::size_t OperatorImpl::workspace_bytes(const Shape& shape) const {
  const std::int64_t value_heads = shape.value_heads != 0 ? shape.value_heads : shape.heads;
  const bool negative = shape.batch < 0 || shape.tokens < 0 || shape.heads < 0 || value_heads < 0 || shape.sequences < 0;
  constexpr double most = 0x1p44;  // of tokens times heads, far past any memory and far from 64 bits
  if (negative || (static_cast<double>(shape.batch) * static_cast<double>(shape.tokens) + static_cast<double>(shape.sequences)) *
                          static_cast<double>(value_heads) > most)
    throw Error(ErrorCode::invalid_argument, "the shape is out of range", text_of(shape), "sizes from 0, with B·T·HV below 2^44",
                std::string(plan_.variant.name.view()));
  return rankone::workspace_bytes(plan_, shape);
}

}  // namespace rankone
