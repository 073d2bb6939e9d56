// SPDX-License-Identifier: MIT
// The recurrent kernel family: it serves whatever can be declared; what fits into a block.
#include <rankone/dsl/decay_sides.hpp>

#include "codegen/family.hpp"
#include "codegen/kernels.hpp"
#include "codegen/policy_lines.hpp"
#include "templates/recurrent/layout.cuh"

namespace rankone {
namespace {

constexpr int most_state_registers = 128;  // of a thread; the rest is for what it works with

std::string why_too_large(const Target& target, const Schedule& schedule) {
  const RecurrentLayout layout = recurrent_layout({target.variant, target.options, schedule});
  // In f32 each element has beside it what was rounded away.
  const int numbers = target.options.dtype == dtype::f32 ? 2 : 1;
  if (layout.thread_rows * thread_columns * numbers > most_state_registers)
    return "the state takes more than " + std::to_string(most_state_registers) + " registers of a thread";
  if (reduces_keys(target.variant) && layout.rows > layout.threads)
    return "a sum over keys takes a thread for each of them, and there are " + std::to_string(layout.threads);
  return why_beyond_shared_memory(layout.bytes, target.limits);
}

void write_policy(const KernelSource& source, PolicyLines& lines) {
  PolicyLines::List<bool> given;
  for (const Slot& slot : formula_slots)
    if (!slot.has_domains && slot.absent.empty())
      given.emplace_back("has_" + std::string(slot.name), source.variant.has(slot.formula));
  given.emplace_back("reduces_keys", reduces_keys(source.variant));
  given.emplace_back("reduces_features", reduces_keys(source.variant.formula(Formula::feature_map)));
  given.emplace_back("erases_undecayed", source.variant.erases_undecayed_);
  given.emplace_back("decays_on_both_sides", static_cast<bool>(decay_sides(source.variant)));
  lines.flags(given);
}

}  // namespace

const KernelFamily recurrent_family{
    .family = Family::recurrent,
    .name = "recurrent",
    .title = "the recurrent family",
    .knobs = recurrent_knobs,
    .parts = {~0u},
    .is_last_resort = true,
    .why_not_served = [](const Target&) { return Unserved{}; },
    .why_too_large = why_too_large,
    .operand_bytes = [](dtype) { return 4; },  // no products of matrices: float32 throughout
    .kernels =
        [](const KernelSource& source) {
          return std::vector{source.pass == Pass::decode ? recurrent::decode(source) : recurrent::forward(source)};
        },
    .regions = [](const KernelSource&) { return std::vector<Region>(); },
    .segment_tokens = [](const KernelSource&) { return Extent(); },
    .uses_tma = [](const KernelSource&) { return false; },
    .warps = [](const KernelSource& source) { return source.schedule.warps; },
    .write_policy = write_policy};

}  // namespace rankone
