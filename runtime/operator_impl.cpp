// SPDX-License-Identifier: MIT
// Launches: check, count blocks, hand over.
#include "runtime/operator_impl.hpp"

#include <algorithm>
#include <limits>

#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "runtime/operand_check.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone {
namespace {

// The launch limit of a grid's first dimension; grids here have no other.
constexpr std::int64_t most_blocks = std::numeric_limits<std::int32_t>::max();

std::string text_of(const Shape& shape) {
  return "B = " + std::to_string(shape.batch) + ", T = " + std::to_string(shape.tokens) +
         ", H = " + std::to_string(shape.heads) +
         ", HV = " + std::to_string(shape.value_heads != 0 ? shape.value_heads : shape.heads) +
         (shape.sequences != 0 ? ", N = " + std::to_string(shape.sequences) : "");
}

}  // namespace

PassKernels::PassKernels(Program program, const Device& device)
    : program_(std::move(program)), text_(emit(program_)), kernels_(backend_of(device).load(program_, text_)),
      checker_(program_, device.is_cpu()), maps_(program_), multiprocessors_(backend_of(device).multiprocessors()) {}

void PassKernels::launch(Call&& call, void* stream) const {
  if (call.empty) return;
  check_operands(program_, call.tensors);
  // All are counted before any is launched: a call happens whole or not at all.
  const Sizes64 sizes = sizes_of(call.shape, multiprocessors_);
  std::vector<KernelLaunch> launches;
  launches.reserve(program_.kernels.size());
  for (std::size_t i = 0; i < program_.kernels.size(); ++i) {
    const Kernel& kernel = program_.kernels[i];
    if (const std::int64_t items = kernel.items.evaluate(sizes); items > most_blocks)
      throw Error(ErrorCode::unsupported, "the launch needs " + std::to_string(items) + " blocks", text_of(call.shape),
                  "at most 2^31 - 1 blocks: fewer sequences or heads in one call",
                  std::string(program_.variant.name.view()));
    if (const std::int64_t blocks = kernel.blocks.evaluate(sizes); blocks > 0) launches.push_back({i, blocks});
  }
  maps_.add(call, *kernels_);
  kernels_->launch(launches, call.arguments, call.tensors, stream);
}

OperatorImpl::OperatorImpl(Program forward, std::string origin, const Device& device)
    : forward_(std::move(forward), device), origin_(std::move(origin)), device_(device) {}

Program OperatorImpl::lowered(Pass pass) const {
  const Program& forward = forward_.program();
  const Schedule schedule = schedule_for(pass, forward.variant, forward.options, forward.arch, forward.schedule);
  return lower(forward.variant, forward.options, schedule, forward.arch, pass);
}

const PassKernels& OperatorImpl::built(LazyPass& lazy, Pass pass) const {
  std::call_once(lazy.once, [&] { lazy.kernels = std::make_unique<const PassKernels>(lowered(pass), device_); });
  return *lazy.kernels;
}

void OperatorImpl::prepare_states() const {
  built(states_, Pass::states);
  built(combine_, Pass::combine);
}

void OperatorImpl::forward(const ForwardArguments& given, void* stream) const {
  require_writable("workspace", given.workspace, program().variant.name.view());
  forward_.launch(forward_.checker().forward(given), stream);
}

void OperatorImpl::states(const ForwardArguments& given, const Tensor& log_decay_total, void* stream) const {
  require_writable("workspace", given.workspace, program().variant.name.view());
  const PassKernels& pass = built(states_, Pass::states);
  pass.launch(pass.checker().states(given, log_decay_total), stream);
}

void OperatorImpl::combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier,
                           void* stream) const {
  const PassKernels& pass = built(combine_, Pass::combine);
  pass.launch(pass.checker().combine(state, log_decay_total, earlier), stream);
}

void check_shape(const Shape& shape, const Variant& variant) {
  const std::int64_t value_heads = shape.value_heads != 0 ? shape.value_heads : shape.heads;
  const bool negative =
      shape.batch < 0 || shape.tokens < 0 || shape.heads < 0 || value_heads < 0 || shape.sequences < 0;
  constexpr double most = 0x1p44;  // of tokens times heads, far past any memory and far from 64 bits
  if (negative ||
      (static_cast<double>(shape.batch) * static_cast<double>(shape.tokens) + static_cast<double>(shape.sequences)) *
              static_cast<double>(value_heads) >
          most)
    throw Error(ErrorCode::invalid_argument, "the shape is out of range", text_of(shape),
                "sizes from 0, with B·T·HV below 2^44", std::string(variant.name.view()));
  if ((shape.heads != 0 && value_heads % shape.heads != 0) || (shape.sequences != 0 && shape.batch != 1))
    throw Error(ErrorCode::invalid_argument, "no call has this shape", text_of(shape),
                "HV a multiple of H, and B = 1 where sequences are packed", std::string(variant.name.view()));
}

std::size_t OperatorImpl::workspace_bytes(const Shape& shape, Pass pass) const {
  check_shape(shape, program().variant);
  const Extent bytes = pass == Pass::forward ? workspace_of(program()) : workspace_of(lowered(pass));
  return static_cast<std::size_t>(bytes.evaluate(sizes_of(shape)));
}

}  // namespace rankone
