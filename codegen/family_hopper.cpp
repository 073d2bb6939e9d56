// SPDX-License-Identifier: MIT
// The Hopper kernel family: whom it serves, and what fits into a block.
#include <rankone/dsl.hpp>

#include "codegen/bounds.hpp"
#include "codegen/family.hpp"
#include "codegen/kernels.hpp"
#include "codegen/policy_lines.hpp"

namespace rankone {
namespace {

Unserved why_not_served(const Target& target) {
  const auto& [variant, options, limits] = target;
  if (Unserved unserved = why_without_form(hopper_family, variant); !unserved.reason.empty()) return unserved;
  // Rows of an odd number of 16-bit elements come one by one, which the portable family's many threads do faster.
  const auto fits = [](int size) { return size % 2 == 0 && size >= 32; };
  if (limits.arch != "sm_90a" || (options.dtype != dtype::bf16 && options.dtype != dtype::f16) ||
      !fits(options.key_dim) || !fits(options.value_dim))
    return {"the Hopper family serves sm_90a, bf16 and f16, and even K and V from 32 on",
            "bf16 or f16 on sm_90a, even K and V from 32 on"};
  if (hopper::keeps_own_apart(variant) && inputs_of(variant).size == max_variant_inputs)
    return {
        "the Hopper family keeps products of a bonus beside decays of value columns where an input would stand, and '" +
            std::string(variant.name.view()) + "' has as many inputs as there may be",
        "at most " + std::to_string(max_variant_inputs - 1) + " inputs"};
  if (options.dtype == dtype::f16)
    if (const std::string reason = why_beyond_f16(variant); !reason.empty())
      return {"the Hopper family does not serve '" + std::string(variant.name.view()) + "' in f16: " + reason, "bf16"};
  return {};
}

std::string why_too_large(const Target& target, const Schedule& schedule) {
  for (const Kernel& kernel : kernels_of({target.variant, target.options, schedule}))
    if (std::string reason = why_beyond_shared_memory(kernel.shared_bytes, target.limits); !reason.empty())
      return reason;
  return {};
}

void write_policy(const KernelSource& source, PolicyLines& lines) {
  const Schedule& schedule = source.schedule;
  lines.integers({{"cluster", schedule.cluster}});
  lines.flags({{"splits_sequences", schedule.level == Level::segment},
               {"keys_are_prepared", schedule.prepared},
               {"uses_tma", hopper::uses_tma(source)},
               {"state_only", source.pass == Pass::states}});
  if (source.variant.reads_before()) lines.flags({{"reads_earlier", true}});
  if (source.variant.has(Formula::bonus)) lines.flags({{"has_own_weights", true}});
  if (hopper::keeps_own_apart(source.variant)) lines.flags({{"keeps_own_apart", true}});
  if (source.options.dtype == dtype::f16) lines.integers({{"key_growth_log2", key_growth_log2(source.variant)}});
}

}  // namespace

const KernelFamily hopper_family{
    .family = Family::hopper,
    .name = "hopper",
    .title = "the Hopper family",
    .knobs = hopper_knobs,
    .parts = set_of({Part::earlier_read, Part::reversed_walk, Part::value_decay}),
    .is_last_resort = false,
    .why_not_served = why_not_served,
    .why_too_large = why_too_large,
    .operand_bytes = [](dtype) { return 2; },  // f16 is kept in its range
    .kernels = hopper::kernels,
    .regions = hopper::regions,
    .segment_tokens = hopper::segment_tokens,
    .uses_tma = hopper::uses_tma,
    .warps = [](const KernelSource& source) { return hopper::block_threads(source) / 32; },
    .write_policy = write_policy,
    .backward_knobs = {},
    .why_no_backward = [](const Target&) { return std::string("the Hopper family has no backward pass"); },
    .why_backward_too_large = [](const Target&, const Schedule&) { return std::string(); }};

}  // namespace rankone
