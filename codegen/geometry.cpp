// SPDX-License-Identifier: MIT
// How many blocks a launch has, and how much workspace: the host's side of sequence.cuh and state.cuh.
#include "codegen/program.hpp"

#include <algorithm>

#include "codegen/space.hpp"
#include "templates/hopper/layout.cuh"

namespace rankone {
namespace {

std::int64_t value_heads(const Shape& shape) { return shape.value_heads != 0 ? shape.value_heads : shape.heads; }
std::int64_t sequences(const Shape& shape) { return shape.sequences != 0 ? shape.sequences : shape.batch; }

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }

constexpr std::int64_t fewest_chunks = 4;    // of a segment: less is all start-up
constexpr std::int64_t prepared_chunks = 2;  // at a time

std::int64_t slots(const Shape& shape, std::int64_t tokens) {
  const std::int64_t chunks = (shape.tokens + tokens - 1) / tokens;
  return shape.sequences != 0 ? chunks + shape.sequences : chunks * shape.batch;
}

}  // namespace

// As long as may be while every multiprocessor has one.
std::int64_t segment_tokens(const Program& program, const Shape& shape) {
  if (program.schedule.prepared) return prepared_chunks * program.schedule.chunk;
  if (program.schedule.level != Level::segment) return 0;
  const std::int64_t rows = value_heads(shape) * program.value_tiles, chunk = program.schedule.chunk;
  if (rows == 0 || shape.tokens == 0) return 0;
  std::int64_t tokens = 0;
  if (shape.sequences != 0) {
    tokens = shape.tokens * rows / hopper_multiprocessors;
  } else {
    const std::int64_t segments = hopper_multiprocessors / std::max<std::int64_t>(1, shape.batch * rows);
    if (segments < 2) return 0;
    tokens = (shape.tokens + segments - 1) / segments;
  }
  tokens = rounded_up(std::max(tokens, fewest_chunks * chunk), chunk);
  return tokens >= shape.tokens ? 0 : tokens;
}

std::int64_t chunk_slots(const Program& program, const Shape& shape) { return slots(shape, program.schedule.chunk); }

std::int64_t block_count(const Program& program, const Kernel& kernel, const Shape& shape) {
  const std::int64_t segment = segment_tokens(program, shape);
  switch (kernel.role) {
    case KernelRole::combine: return sequences(shape) * value_heads(shape);
    case KernelRole::join:
      if (segment == 0) return 0;
      return sequences(shape) * value_heads(shape) *
             ((program.options.key_dim * program.options.value_dim + 4 * join_threads - 1) / (4 * join_threads));
    case KernelRole::prepare: return slots(shape, segment) * value_heads(shape);
    case KernelRole::output: return chunk_slots(program, shape) * value_heads(shape) * program.value_tiles;
    case KernelRole::states:
      if (program.schedule.level == Level::segment && segment == 0) return 0;
      break;
    case KernelRole::scan: break;
  }
  return (program.schedule.level == Level::segment && segment != 0 ? slots(shape, segment) : sequences(shape)) *
         value_heads(shape) * program.value_tiles;
}

std::size_t segment_state_bytes(const Program& program, const Shape& shape) {
  const std::int64_t segment = segment_tokens(program, shape);
  if (program.schedule.level != Level::segment || segment == 0) return 0;
  return static_cast<std::size_t>(slots(shape, segment) * value_heads(shape)) *
         static_cast<std::size_t>(program.options.key_dim * program.options.value_dim) * 4;
}

std::size_t workspace_bytes(const Program& program, const Shape& shape) {
  if (program.schedule.prepared)
    return static_cast<std::size_t>(chunk_slots(program, shape) * value_heads(shape)) *
           static_cast<std::size_t>(
               hopper_layout(program.variant, program.options, program.schedule, KernelRole::prepare).prepared_bytes);
  if (const std::int64_t segment = segment_tokens(program, shape); segment != 0) {
    const int width = program.variant.decay_axes().has(Axes::key) ? program.options.key_dim : 1;
    return segment_state_bytes(program, shape) +
           static_cast<std::size_t>(rounded_up(slots(shape, segment) * value_heads(shape) * width * 4, 16));
  }
  if (program.schedule.level != Level::chunk) return 0;
  const std::int64_t slots = chunk_slots(program, shape) * value_heads(shape) * program.value_tiles;
  return static_cast<std::size_t>(slots * program.schedule.value_tile * program.key_padded * program.operand_bytes);
}

}  // namespace rankone
