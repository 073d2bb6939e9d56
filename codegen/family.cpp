// SPDX-License-Identifier: MIT
// Kernel families by name, and the legality of a schedule by its family's table.
#include "codegen/family.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/dsl/parts.hpp>
#include <rankone/error.hpp>

#include "codegen/chain.hpp"
#include "codegen/kernels.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/names.hpp"

namespace rankone {
namespace {

std::vector<const Knob*> collect_knobs() {
  std::vector<const Knob*> knobs;
  for (const KernelFamily* family : {&portable_family, &hopper_family, &recurrent_family})
    for (const KnobRow& row : family->knobs)
      if (std::find(knobs.begin(), knobs.end(), row.knob) == knobs.end()) knobs.push_back(row.knob);
  return knobs;
}

}  // namespace

// Of one recurrence.
namespace {
KnobContext context_of_one(const Target& target) {
  return {.key_dim = static_cast<int>(feature_dim(target.variant, target.options.key_dim)),
          .value_dim = target.options.value_dim,
          .dtype = target.options.dtype,
          .decays_by_key = target.variant.decays_by_key(),
          .tile_columns_of_all = is_normalised(target.variant) ? 4 : 0,
          .is_non_causal = target.variant.non_causal_,
          .has_one_tile = target.variant.has(Formula::value_erase),
          .has_whole_pass = target.variant.has(Formula::value_erase),
          .decays_by_value = target.variant.decays_by_value(),
          .weighs_own_beside_columns = hopper::keeps_own_apart(target.variant)};
}
}  // namespace

// Of a chain, whose passes share a schedule, what is asked of either; of tiles, of the passes that have several.
KnobContext context_of(const Target& target) {
  std::vector<KnobContext> all;
  for (const Recurrence& each : recurrences_of(target.variant, target.options))
    all.push_back(context_of_one({each.variant, each.options, target.limits}));
  KnobContext context = all.front();
  context.value_dim = 0;
  context.has_one_tile = std::ranges::all_of(all, &KnobContext::has_one_tile);
  for (const KnobContext& own : all) {
    context.key_dim = std::max(context.key_dim, own.key_dim);
    if (own.has_one_tile == context.has_one_tile) context.value_dim = std::max(context.value_dim, own.value_dim);
    context.has_whole_pass |= own.has_one_tile;
  }
  return context;
}

std::span<const KernelFamily* const> kernel_families() {
  static const KernelFamily* const families[] = {&hopper_family, &portable_family, &recurrent_family};
  return families;
}

std::vector<const KernelFamily*> families_for(const Target& target, const Pins& pins) {
  const auto all = kernel_families();
  const auto serves = [&](const KernelFamily* family) { return family->why_not_served(target).reason.empty(); };
  const bool needs_last =
      std::ranges::none_of(all, [&](const KernelFamily* family) { return !family->is_last_resort && serves(family); });
  std::vector<const KernelFamily*> families;
  for (const KernelFamily* family : all)
    if (pins.family ? *pins.family == family->family : family->is_last_resort == needs_last) families.push_back(family);
  return families;
}

const KernelFamily& family_of(Family family) {
  for (const KernelFamily* each : kernel_families())
    if (each->family == family) return *each;
  throw Error(ErrorCode::invalid_argument, "there is no such kernel family", std::to_string(static_cast<int>(family)),
              list_of(family_names), "pins.family");
}

const KnobRow* row_of(std::span<const KnobRow> knobs, const Knob& knob) {
  for (const KnobRow& row : knobs)
    if (row.knob == &knob) return &row;
  return nullptr;
}
const KnobRow* row_of(const KernelFamily& family, const Knob& knob) { return row_of(family.knobs, knob); }

std::span<const KnobRow> knobs_of(const KernelFamily& family, Pass pass) {
  return pass == Pass::backward ? family.backward_knobs : family.knobs;
}

Unserved why_without_form(const KernelFamily& family, const Variant& variant) {
  const std::string part(part_beyond(variant, family.parts));
  if (part.empty()) return {};
  return {std::string(family.title) + " has no form in chunks for " + part,
          part_without_chunks(variant).empty() ? "" : "family=recurrent"};
}

bool knows(const KernelFamily& family, const Knob& knob, int value) {
  if (const KnobRow* row = row_of(family, knob)) return row->domain.has(value);
  const auto families = kernel_families();
  const bool tacit = std::any_of(families.begin(), families.end(), [&](const KernelFamily* each) {
    const KnobRow* row = row_of(*each, knob);
    return row != nullptr && row->tacit;
  });
  return tacit && value == knob.get(Schedule{});
}

std::span<const Knob* const> all_knobs() {
  static const std::vector<const Knob*> knobs = collect_knobs();
  return knobs;
}

std::string why_unfit(const Target& target, const Schedule& schedule, Pass pass) {
  const KernelFamily& family = family_of(schedule.family);
  if (std::string reason = family.why_not_served(target).reason; !reason.empty()) return reason;
  if (pass == Pass::backward)
    if (std::string reason = family.why_no_backward(target); !reason.empty()) return reason;
  const std::span<const KnobRow> knobs = knobs_of(family, pass);
  const KnobContext context = context_of(target);
  for (const Knob* knob : all_knobs()) {
    const KnobRow* row = row_of(knobs, *knob);
    const int value = knob->get(schedule);
    if (row == nullptr && value != knob->get(Schedule{}))
      return std::string(family.title) + " has no knob '" + knob->name + "'";
    if (row != nullptr && !row->domain.has(value))
      return "'" + std::string(knob->name) + "' of " + std::string(family.title) + " is " + text_of(*row);
  }
  for (const KnobRow& row : knobs)
    if (row.why_not != nullptr)
      if (std::string reason = row.why_not(context, schedule); !reason.empty()) return reason;
  return pass == Pass::backward ? family.why_backward_too_large(target, schedule)
                                : family.why_too_large(target, schedule);
}

std::string why_beyond_shared_memory(int bytes, const ArchLimits& limits) {
  if (bytes <= limits.shared_bytes_per_block) return {};
  return "a block takes " + std::to_string(bytes) + " bytes of shared memory, and " + limits.arch + " has " +
         std::to_string(limits.shared_bytes_per_block);
}

}  // namespace rankone
