// SPDX-License-Identifier: MIT
// Lowering: a variant and a schedule become a program.
#include <algorithm>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/knob_text.hpp"
#include "codegen/program.hpp"
#include "codegen/space.hpp"
#include "templates/kernels/layout.cuh"

namespace rankone {
namespace {

// The portable family's f16 products run in tf32, which holds every f16 number and whose range no product or decay
// leaves; the Hopper family keeps its own in range.
int operand_bytes(const CompileOptions& options, Family family) {
  return options.dtype == dtype::bf16 || family == Family::hopper ? 2 : 4;
}

// The two passes of a variant may be linked into one program, so their entries differ.
const char* suffix_of(KernelRole role, Pass pass) {
  switch (role) {
    case KernelRole::scan: return "_forward";
    case KernelRole::states: return pass == Pass::states ? "_states" : "_chunk_states";
    case KernelRole::output: return "_output";
    case KernelRole::join: return "_join";
    case KernelRole::prepare: return "_prepare";
    case KernelRole::combine: return "_combine";
  }
  return "";
}

std::vector<KernelRole> roles_of(const Schedule& schedule, Pass pass) {
  if (pass == Pass::states) return {KernelRole::states, KernelRole::combine};
  if (schedule.prepared) return {KernelRole::prepare, KernelRole::scan};
  if (schedule.level == Level::segment) return {KernelRole::states, KernelRole::join, KernelRole::scan};
  if (schedule.level == Level::serial) return {KernelRole::scan};
  return {KernelRole::states, KernelRole::output};
}

std::vector<int> staged_input_bytes(const Variant& variant, const CompileOptions& options) {
  std::vector<int> bytes;
  for (const Port& input : ports_of(ports(variant, options), PortRole::gate))
    bytes.push_back(input.axes.has(Axis::key) ? static_cast<int>(size_of(input.type)) : 0);
  return bytes;
}

}  // namespace

HopperLayout hopper_layout(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                           KernelRole role) {
  HopperSizes sizes{.chunk = schedule.chunk,
                    .stages = role == KernelRole::prepare ? prepare_stages : schedule.stages,
                    .cluster = schedule.cluster,
                    .key_dim = options.key_dim,
                    .value_tile = schedule.value_tile,
                    .per_key = variant.decay_axes().has(Axes::key),
                    .reads_query = role != KernelRole::states,
                    .has_gate_group = !schedule.prepared || role == KernelRole::prepare,
                    .has_consumers = role != KernelRole::prepare,
                    .range_scaled = options.dtype == dtype::f16,
                    .input_bytes = {},
                    .input_is_per_key = {}};
  if (!sizes.has_gate_group) return make_hopper_layout(sizes);
  int index = 0;
  for (const Port& input : ports_of(ports(variant, options), PortRole::gate)) {
    sizes.input_bytes[index] = static_cast<int>(size_of(input.type));
    sizes.input_is_per_key[index++] = input.axes.has(Axis::key);
  }
  return make_hopper_layout(sizes);
}

int block_threads(const Variant& variant, const CompileOptions& options, const Schedule& schedule, KernelRole role) {
  if (role == KernelRole::combine) return combine_threads;
  if (role == KernelRole::join) return join_threads;
  if (schedule.family == Family::hopper) return hopper_layout(variant, options, schedule, role).threads;
  return 32 * schedule.warps;
}

int shared_bytes(const Variant& variant, const CompileOptions& options, const Schedule& schedule, KernelRole role) {
  if (role == KernelRole::combine || role == KernelRole::join) return 0;
  if (schedule.family == Family::hopper) return hopper_layout(variant, options, schedule, role).bytes;
  LayoutSizes sizes{.chunk = schedule.chunk,
                    .stages = role == KernelRole::output ? 1 : schedule.stages,
                    .warps = schedule.warps,
                    .key_padded = padded_keys(options.key_dim),
                    .value_tile = schedule.value_tile,
                    .storage_bytes = static_cast<int>(size_of(options.dtype)),
                    .operand_bytes = operand_bytes(options, schedule.family),
                    .per_key = variant.decay_axes().has(Axes::key),
                    .reads_query = role != KernelRole::states,
                    .split_products = options.precision == Precision::f32,
                    .input_bytes = {}};
  const std::vector<int> bytes = staged_input_bytes(variant, options);
  std::copy(bytes.begin(), bytes.end(), sizes.input_bytes);
  return make_layout(sizes).bytes;
}

Program lower(const Variant& variant, const CompileOptions& options, const Schedule& schedule, std::string_view arch,
              Pass pass) {
  validate(variant);
  check_options(variant, options);
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  // Pins are the forward pass's.
  const std::string reason = pass == Pass::forward ? why_illegal(target, schedule) : why_unfit(target, schedule);
  if (!reason.empty())
    throw Error(ErrorCode::invalid_argument, "this schedule is not legal: " + reason, to_string(schedule),
                "one that legal_schedules() lists", std::string(variant.name.view()));

  if (pass == Pass::states && schedule.family != Family::portable)
    throw Error(ErrorCode::unsupported, "the state-only pass is the portable family's", to_string(schedule),
                "what states_schedule() chooses", std::string(variant.name.view()));

  Program program{.variant = variant,
                  .options = options,
                  .schedule = schedule,
                  .arch = limits.arch,
                  .key_padded = padded_keys(options.key_dim),
                  .value_tiles = (options.value_dim + schedule.value_tile - 1) / schedule.value_tile,
                  .operand_bytes = operand_bytes(options, schedule.family),
                  .uses_tma = schedule.family == Family::hopper && pass == Pass::forward &&
                              variant.decay_axes().has(Axes::key) && variant.formula(Formula::decay).size > 1,
                  .reads_key = reads_key(variant),
                  .ports = ports(variant, options, pass),
                  .scalars = {},
                  .pass = pass,
                  .kernels = {}};
  for (const Leaf& leaf : scalars_of(variant)) program.scalars.emplace_back(leaf.name.view());
  for (const KernelRole role : roles_of(schedule, pass))
    program.kernels.push_back({.entry = std::string(variant.name.view()) + suffix_of(role, pass),
                               .role = role,
                               .threads = block_threads(variant, options, schedule, role),
                               .shared_bytes = shared_bytes(variant, options, schedule, role),
                               .cluster = role == KernelRole::join ? 1 : schedule.cluster,
                               .residents = role == KernelRole::prepare ? prepare_residents : 1});
  return program;
}

}  // namespace rankone
