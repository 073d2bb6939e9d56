// SPDX-License-Identifier: MIT
// Launches: check, count blocks, hand over.
#include "runtime/operator_impl.hpp"

#include <algorithm>
#include <limits>

#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "runtime/operand_check.hpp"

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

LoadedText emit_and_load(const Program& program, const Device& device) {
  std::string text = emit(program);
  auto kernels = backend_of(device).load(program, text);
  return {std::move(text), std::move(kernels)};
}

PassKernels::PassKernels(Program program, const Device& device, const Loader& load)
    : program_(std::move(program)), loaded_(load(program_, device)), checker_(program_, device.is_cpu()),
      maps_(program_), multiprocessors_(backend_of(device).multiprocessors()) {}

void PassKernels::launch(const BoundLaunch& bound, void* stream) const {
  if (bound.launches.empty()) return;
  check_operands(program_, bound.call.tensors);
  loaded_.kernels->launch(bound.launches, bound.call.arguments, bound.call.tensors, stream);
}

BoundLaunch PassKernels::bind(Call&& call) const {
  BoundLaunch bound{std::move(call)};
  if (bound.call.empty) return bound;
  // All are counted before any is launched: a call happens whole or not at all.
  const Shape& shape = bound.call.shape;
  const Sizes64 sizes = sizes_of(shape, multiprocessors_);
  bound.launches.reserve(program_.kernels.size());
  for (std::size_t i = 0; i < program_.kernels.size(); ++i) {
    const Kernel& kernel = program_.kernels[i];
    if (const std::int64_t items = kernel.items.evaluate(sizes); items > most_blocks)
      throw Error(ErrorCode::unsupported, "the launch needs " + std::to_string(items) + " blocks", text_of(shape),
                  "at most 2^31 - 1 blocks: fewer sequences or heads in one call",
                  std::string(program_.variant.name.view()));
    if (const std::int64_t blocks = kernel.blocks.evaluate(sizes); blocks > 0) bound.launches.push_back({i, blocks});
  }
  maps_.add(bound.call, *loaded_.kernels);
  return bound;
}

namespace detail {

OperatorImpl::OperatorImpl(Program forward, std::string origin, const Device& device, Loader load)
    : load_(std::move(load)), forward_(std::move(forward), device, load_), origin_(std::move(origin)), device_(device) {
}

OperatorImpl::LazyPass& OperatorImpl::lazy(Pass pass) const { return others_[static_cast<std::size_t>(pass)]; }

const Program& OperatorImpl::program(Pass pass) const {
  if (pass == Pass::forward) return program();
  LazyPass& other = lazy(pass);
  std::call_once(other.lowered, [&] { other.program.emplace(lower_beside(program(), pass)); });
  return *other.program;
}

const PassKernels& OperatorImpl::built(Pass pass) const {
  LazyPass& other = lazy(pass);
  std::call_once(other.built, [&] { other.kernels.emplace(program(pass), device_, load_); });
  return *other.kernels;
}

std::size_t OperatorImpl::workspace_bytes(const Shape& shape, Pass pass) const {
  check_shape(shape, program().variant);
  return static_cast<std::size_t>(workspace_of(program(pass)).evaluate(sizes_of(shape)));
}

}  // namespace detail

void check_shape(const Shape& shape, const Variant& variant) {
  const std::int64_t value_heads = shape.value_heads != 0 ? shape.value_heads : shape.heads;
  const bool negative =
      shape.batch < 0 || shape.tokens < 0 || shape.heads < 0 || value_heads < 0 || shape.sequences < 0;
  constexpr double most = 0x1p44;  // of tokens times heads, far past any memory and far from 64 bits
  const auto number = [](std::int64_t size) { return static_cast<double>(size); };
  const std::int64_t sequences = shape.sequences != 0 ? shape.sequences : shape.batch;
  const double tokens =
      number(shape.tokens) * variant.steps_ + number(std::max<std::int64_t>(shape.key_tokens, 0));
  if (negative || (number(shape.batch) * tokens + number(sequences)) * number(value_heads) > most)
    throw Error(ErrorCode::invalid_argument, "the shape is out of range", text_of(shape),
                "sizes from 0, with B·T·HV and N·HV below 2^44", std::string(variant.name.view()));
  if ((shape.heads != 0 && value_heads % shape.heads != 0) || (shape.sequences != 0 && shape.batch != 1))
    throw Error(ErrorCode::invalid_argument, "no call has this shape", text_of(shape),
                "HV a multiple of H, and B = 1 where sequences are packed", std::string(variant.name.view()));
}

}  // namespace rankone
