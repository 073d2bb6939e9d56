// SPDX-License-Identifier: MIT
// Kernel families: each with its table of knobs, what it serves at all, and what fits into a block.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/dsl/part_set.hpp>
#include <rankone/options.hpp>

#include "codegen/program.hpp"

namespace rankone {

// What a schedule is wanted for.
struct Target {
  const Variant& variant;
  const CompileOptions& options;
  const ArchLimits& limits;
};
KnobContext context_of(const Target& target);

// Why a family does not serve a target under any schedule, and what it would serve, or another family; both empty where it
// does. Where the portable family serves in its place, that need not be said.
struct Unserved {
  std::string reason, accepted;
};

struct KernelSource;  // kernels.hpp
class PolicyLines;    // policy_lines.hpp

struct KernelFamily {
  Family family;
  std::string_view name;   // "hopper"
  std::string_view title;  // "the Hopper family"
  std::span<const KnobRow> knobs;
  Parts parts;          // of variants, that it has a form for
  bool is_last_resort;  // unless it is pinned, it serves only what no other family does
  Unserved (*why_not_served)(const Target&);
  // Why it cannot run this schedule, whose knobs are legal by themselves; empty where it can.
  std::string (*why_too_large)(const Target&, const Schedule&);
  int (*operand_bytes)(dtype);  // of an element of tensor-core products, and of a saved state
  // Of a forward or a state-only pass: its kernels in launch order, what they keep in the workspace, and the tokens of a
  // segment.
  std::vector<Kernel> (*kernels)(const KernelSource&);
  std::vector<Region> (*regions)(const KernelSource&);
  Extent (*segment_tokens)(const KernelSource&);
  bool (*uses_tma)(const KernelSource&);                    // tensors that have maps come by boxes
  int (*warps)(const KernelSource&);                        // of a block of the pass's main kernel
  void (*write_policy)(const KernelSource&, PolicyLines&);  // the constants that its templates alone read
  // Of the backward pass: its knobs, why there is none for a target, in words, and why it cannot run a schedule.
  std::span<const KnobRow> backward_knobs;
  std::string (*why_no_backward)(const Target&);
  std::string (*why_backward_too_large)(const Target&, const Schedule&);
};
extern const KernelFamily portable_family, hopper_family, recurrent_family;

// In order of preference: what the first can run, it runs faster.
std::span<const KernelFamily* const> kernel_families();
// Those among which a schedule is chosen, in order of preference: the pinned one, or all but last resorts, or these alone where
// no other family serves.
std::vector<const KernelFamily*> families_for(const Target& target, const Pins& pins);
// Throws Error for a number that is no family.
const KernelFamily& family_of(Family family);
const KnobRow* row_of(const KernelFamily& family, const Knob& knob);  // null: the family lacks it
const KnobRow* row_of(std::span<const KnobRow> knobs, const Knob& knob);
std::span<const KnobRow> knobs_of(const KernelFamily& family, Pass pass);
// Why a family that runs in chunks has no form for a variant; empty where it has.
Unserved why_without_form(const KernelFamily& family, const Variant& variant);
// Whether a schedule of the family may be pinned to the value: it is in the knob's domain, or the family lacks the knob and
// the value is the tacit one, as if there were none.
bool knows(const KernelFamily& family, const Knob& knob, int value);

// Every knob of any family, once.
std::span<const Knob* const> all_knobs();

// Why the schedule cannot run, whatever is pinned; empty where it can.
std::string why_unfit(const Target& target, const Schedule& schedule, Pass pass = Pass::forward);

// For all families: a sentence where a block takes more shared memory than there is.
std::string why_beyond_shared_memory(int bytes, const ArchLimits& limits);

}  // namespace rankone
