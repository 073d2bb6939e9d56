// SPDX-License-Identifier: MIT
// Which schedules are legal, and why others are not.
#pragma once

#include <string>
#include <string_view>

#include "codegen/program.hpp"
#include "templates/hopper/layout.cuh"

namespace rankone {

inline constexpr int max_key_dim = 256, max_value_dim = 512;
// Of an H100 or H200 SXM. Fixed, so that no choice depends on the GPU at hand.
inline constexpr int hopper_multiprocessors = 132;

// Throws Error where K, V or a type is out of range, or names a tensor that the variant lacks.
void check_options(const Variant& variant, const CompileOptions& options);

// What a block of the Hopper family consists of.
HopperLayout hopper_layout(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                           KernelRole role);

// Shared memory of a block of this role.
int shared_bytes(const Variant& variant, const CompileOptions& options, const Schedule& schedule, KernelRole role);

// Why this schedule cannot run; empty where it can. Pins of the variant and the options count as well.
std::string why_illegal(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                        const ArchLimits& limits);

// What is pinned, by the options or else the variant; 0 and automatic: nothing. Throws Error where they disagree.
struct Pins {
  Family family = Family::automatic;
  Level level = Level::automatic;
  int chunk = 0, value_tile = 0, warps = 0, stages = 0, cluster = 0;
  bool prepared = false;
  friend bool operator==(const Pins&, const Pins&) = default;
};
Pins pins_of(const Variant& variant, const CompileOptions& options);
inline bool any(const Pins& pins) { return pins != Pins{}; }

}  // namespace rankone
