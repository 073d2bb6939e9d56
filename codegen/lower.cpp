// SPDX-License-Identifier: MIT
// Lowering: a variant and a schedule become a program.
#include <algorithm>
#include <cmath>
#include <limits>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/chain.hpp"
#include "codegen/family.hpp"
#include "codegen/kernels.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/launch_arguments.hpp"
#include "codegen/names.hpp"
#include "codegen/naming.hpp"
#include "codegen/program.hpp"
#include "codegen/space.hpp"
#include "templates/hopper/column_layout.cuh"
#include "templates/recurrent/slope_layout.cuh"

namespace rankone {

// What a declaration may have, a launch can pass and a layout can hold.
static_assert(max_variant_inputs == max_layout_inputs && max_variant_scalars == max_scalars);
static_assert(max_variant_inputs == max_slope_inputs && max_variant_parameters == max_slope_parameters);

HopperLayout hopper_layout(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                           const HopperParts& parts) {
  HopperSizes sizes{.chunk = schedule.chunk,
                    .stages = parts.has_consumers ? schedule.stages : prepare_stages,
                    .cluster = schedule.cluster,
                    .key_dim = options.key_dim,
                    .value_tile = schedule.value_tile,
                    .key_decays = variant.decays_by_key() ? padded_to_blocks(options.key_dim) : 1,
                    .reads_query = parts.reads_query,
                    .has_gate_group = parts.has_gate_group,
                    .has_consumers = parts.has_consumers,
                    .range_scaled = options.dtype == dtype::f16,
                    .input_bytes = {},
                    .input_columns = {}};
  if (!sizes.has_gate_group) return make_hopper_layout(sizes);
  int index = 0;
  for (const Port& input : ports_of(ports(variant, options), PortRole::gate)) {
    sizes.input_bytes[index] = static_cast<int>(size_of(input.type));
    sizes.input_columns[index++] = input.axes.has(Axis::key)     ? padded_to_blocks(options.key_dim)
                                   : input.axes.has(Axis::value) ? tile_of_values(sizes)
                                                                 : 1;
  }
  if (hopper::keeps_own_apart(variant)) reserve_own_products(sizes, index);
  return make_hopper_layout(sizes);
}

std::string why_not_admitted(const Variant& variant, Pass pass) {
  if (pass == Pass::decode && variant.non_causal_)
    return "decoding reads what came before a token, and this variant's queries read all keys";
  if (pass == Pass::decode && variant.bidirectional_)
    return "decoding reads what came before a token, and this variant's queries read what comes behind it, too";
  if (pass == Pass::decode && variant.permuted_)
    return "decoding takes tokens as they come, and this variant walks them in an order that is given for all of them";
  if (pass == Pass::decode)
    return variant.reversed_ ? "decoding goes on behind the last token, and this variant's walk begins there" : "";
  const bool is_of_states = pass == Pass::states || pass == Pass::combine;
  const std::string part(is_of_states ? part_beyond(variant, parts_beside_states) : "");
  return part.empty() ? "" : "states are handed on and joined by decays alone, and this variant has " + part;
}

std::vector<std::string> passes_of(const Variant& variant) {
  std::vector<std::string> names;
  for (const auto& [name, pass] : pass_names)
    if (why_not_admitted(variant, pass).empty()) names.emplace_back(name);
  return names;
}

void require_admitted(const Variant& variant, Pass pass) {
  const std::string_view name = name_in(pass_names, pass);
  const bool known = name != unnamed;
  const std::string reason = known ? why_not_admitted(variant, pass) : "the operator does not have this pass";
  if (reason.empty()) return;
  std::string accepted;
  for (const std::string& each : passes_of(variant)) accepted += (accepted.empty() ? "" : ", ") + each;
  throw Error(ErrorCode::unsupported, reason,
              known ? std::string(name) : "number " + std::to_string(static_cast<int>(pass)), accepted,
              std::string(variant.name.view()));
}

Program lower(const Variant& variant, const CompileOptions& options, const Schedule& schedule, std::string_view arch,
              Pass pass) {
  validate(variant);
  check_options(variant, options);
  require_admitted(variant, pass);
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  // Pins are the forward pass's; combining has nothing to schedule.
  const std::string reason = pass == Pass::forward   ? why_illegal(target, schedule)
                             : pass == Pass::combine ? ""
                             : pass == Pass::decode && schedule.family != Family::recurrent
                                 ? "the recurrent family decodes"
                                 : why_unfit(target, schedule, pass);
  if (!reason.empty())
    throw Error(ErrorCode::invalid_argument, "this schedule is not legal: " + reason, to_string(schedule),
                "one that legal_schedules() lists", std::string(variant.name.view()));
  if (pass == Pass::states && schedule.prepared)
    throw Error(ErrorCode::unsupported, "the state-only pass prepares nothing in a kernel of its own",
                to_string(schedule), "what states_schedule() chooses", std::string(variant.name.view()));

  const KernelSource source{variant, options, schedule, pass};
  Program program{.variant = variant,
                  .options = options,
                  .schedule = schedule,
                  .arch = limits.arch,
                  .pass = pass,
                  .name = {},
                  .ports = ports(variant, options, pass),
                  .passed_ports = passed_ports(variant, options, pass),
                  .port_slots = static_cast<int>(slots(variant, options, pass).size()),
                  .map_slots = 0,
                  .scalars = {},
                  .reads_key = reads_key(variant),
                  .uses_tma = pass != Pass::combine && family_of(schedule.family).uses_tma(source),
                  .regions = regions_of(source),
                  .kernels = kernels_of(source),
                  .segment_tokens = segment_tokens_of(source)};
  // Maps are of the first ports: inputs and gates.
  if (program.uses_tma)
    for (const Port& port : program.ports)
      if (port.role == PortRole::input || port.role == PortRole::gate) program.map_slots = port.slot + 1;
  if (pass != Pass::combine)  // which evaluates no formula
    for (const Leaf& leaf : scalars_of(variant)) program.scalars.emplace_back(leaf.name.view());
  program.name = name_of(program);
  for (Kernel& kernel : program.kernels) kernel.entry = name_of(program, kernel.entry);
  return program;
}

OperandRange operand_range(const Program& program) {
  OperandRange range;
  for (const Kernel& kernel : program.kernels) {
    range.queries_below = std::min(range.queries_below, kernel.range.queries_below);
    range.keys_from = std::max(range.keys_from, kernel.range.keys_from);
  }
  return range;
}

double values_below(const Program& program) {
  const bool has_anchor = program.schedule.family == Family::hopper && program.variant.decays_by_value();
  return has_anchor ? std::ldexp(1.0, 126 - column_anchor_log2_limit) : std::numeric_limits<double>::infinity();
}

Extent offset_of(const Program& program, std::size_t region) {
  Extent sum;
  for (std::size_t i = 0; i < region; ++i) sum = sum + program.regions[i].bytes;
  return sum;
}

std::vector<std::pair<std::string, Extent>> definitions_of(const Program& program) {
  std::vector<std::pair<std::string, Extent>> names;
  program.segment_tokens.collect(names);
  for (const Region& region : program.regions) region.bytes.collect(names);
  for (const Kernel& kernel : program.kernels) {
    kernel.items.collect(names);
    kernel.blocks.collect(names);
  }
  return names;
}

Extent workspace_of(const Program& program) { return offset_of(program, program.regions.size()); }

}  // namespace rankone
