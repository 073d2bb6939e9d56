// SPDX-License-Identifier: MIT
// Which schedules are legal under what is pinned, and why others are not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/family.hpp"
#include "codegen/program.hpp"
#include "templates/hopper/layout.cuh"

namespace rankone {

inline constexpr int max_key_dim = 256, max_value_dim = 512;
// Of an H100 or H200 SXM. Fixed, so that no choice depends on the GPU at hand.
inline constexpr int hopper_multiprocessors = 132;

// Throws Error where K, V or a type is out of range, or names a tensor that the variant lacks.
void check_options(const Variant& variant, const CompileOptions& options);

// Which warpgroups a kernel of the Hopper family has beside its producer, and whether they read queries.
struct HopperParts {
  bool reads_query = true;
  bool has_gate_group = true;
  bool has_consumers = true;
};
// What such a block consists of.
HopperLayout hopper_layout(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                           const HopperParts& parts);

// The options' pins and the variant's own. Throws Error where they disagree.
Pins pins_of(const Variant& variant, const CompileOptions& options);

// Every legal schedule under `pins`, in a fixed order; `thorough` is tried with all its values, too.
std::vector<Schedule> legal_schedules(const Target& target, const Pins& pins, const Knob* thorough = nullptr);
// The same under the pins of the variant and the options. Throws what check_options throws.
std::vector<Schedule> legal_schedules(const Variant& variant, const CompileOptions& options, std::string_view arch);

// Why this schedule cannot run, or is not what the variant and the options pin; empty where all is well.
std::string why_illegal(const Target& target, const Schedule& schedule);

// Throws Error that says which of `pins`, under which nothing is legal, stand in the way.
[[noreturn]] void refuse_pins(const Target& target, const Pins& pins);

}  // namespace rankone
