// SPDX-License-Identifier: MIT
// The portable kernel family: what fits into a block.
#include <algorithm>

#include <rankone/dsl/parts.hpp>

#include "codegen/backward_knobs.hpp"
#include "codegen/family.hpp"
#include "codegen/kernels.hpp"
#include "templates/kernels/layout.cuh"

namespace rankone {
namespace {

constexpr int multiprocessor_registers = 65536, thread_registers = 255;
constexpr int working_registers = 64;  // that a thread needs beside its part of the state
constexpr int fewest_columns = 16;     // of a warp that owns any

std::string why_too_large(const Target& target, const Schedule& schedule) {
  const int state =
      padded_keys(target.options.key_dim) * std::max(schedule.value_tile / schedule.warps, fewest_columns) / 32;
  if (state + working_registers > std::min(thread_registers, multiprocessor_registers / (32 * schedule.warps)))
    return "the state leaves a thread fewer than 64 of its registers";
  for (const Kernel& kernel : kernels_of({target.variant, target.options, schedule}))
    if (std::string reason = why_beyond_shared_memory(kernel.shared_bytes, target.limits); !reason.empty())
      return reason;
  return {};
}

// Of the backward pass: what a product's operands and places take beside the accumulators.
constexpr int backward_working_registers = 40;
std::string why_backward_too_large(const Target& target, const Schedule& schedule) {
  const KernelSource source{target.variant, target.options, schedule, Pass::backward};
  const int accumulators = portable::backward_accumulators(source),
            registers = std::min(thread_registers, multiprocessor_registers / (32 * schedule.warps));
  if (accumulators + backward_working_registers > registers)
    return "a thread has " + std::to_string(registers) + " registers, and " + std::to_string(accumulators) +
           " accumulators leave it too few";
  for (const Kernel& kernel : portable::backward_kernels(source))
    if (std::string reason = why_beyond_shared_memory(kernel.shared_bytes, target.limits); !reason.empty())
      return reason;
  return {};
}

}  // namespace

const KernelFamily portable_family{
    .family = Family::portable,
    .name = "portable",
    .title = "the portable family",
    .knobs = portable_knobs,
    .parts = parts_in_chunks,
    .is_last_resort = false,
    .why_not_served = [](const Target& target) { return why_without_form(portable_family, target.variant); },
    .why_too_large = why_too_large,
    .operand_bytes = portable::operand_bytes,
    .kernels = portable::kernels,
    .regions = portable::regions,
    .segment_tokens = key_tokens_of,
    .uses_tma = [](const KernelSource&) { return false; },
    .warps = [](const KernelSource& source) { return source.schedule.warps; },
    .write_policy = portable::write_policy,
    .backward_knobs = portable_backward_knobs,
    .why_no_backward = [](const Target& target) { return portable::why_no_backward(target.variant, target.options); },
    .why_backward_too_large = why_backward_too_large};

}  // namespace rankone
