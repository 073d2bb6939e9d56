// SPDX-License-Identifier: MIT
// How many blocks a launch has, and how much workspace: the host's side of sequence.cuh and state.cuh.
#include "codegen/plan.hpp"

namespace rankone {
namespace {

std::int64_t value_heads(const Shape& shape) { return shape.value_heads != 0 ? shape.value_heads : shape.heads; }
std::int64_t sequences(const Shape& shape) { return shape.sequences != 0 ? shape.sequences : shape.batch; }

}  // namespace

std::int64_t chunk_slots(const Plan& plan, const Shape& shape) {
  const std::int64_t chunks = (shape.tokens + plan.schedule.chunk - 1) / plan.schedule.chunk;
  return shape.sequences != 0 ? chunks + shape.sequences : chunks * shape.batch;
}

std::int64_t block_count(const Plan& plan, const KernelPlan& kernel, const Shape& shape) {
  switch (kernel.role) {
    case KernelRole::combine: return sequences(shape) * value_heads(shape);
    case KernelRole::output: return chunk_slots(plan, shape) * value_heads(shape) * plan.value_tiles;
    case KernelRole::scan:
    case KernelRole::states: break;
  }
  return sequences(shape) * value_heads(shape) * plan.value_tiles;
}

std::size_t workspace_bytes(const Plan& plan, const Shape& shape) {
  if (plan.schedule.level != Level::chunk) return 0;
  const std::int64_t slots = chunk_slots(plan, shape) * value_heads(shape) * plan.value_tiles;
  return static_cast<std::size_t>(slots * plan.schedule.value_tile * plan.key_padded * plan.operand_bytes);
}

}  // namespace rankone
