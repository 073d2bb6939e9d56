// SPDX-License-Identifier: MIT
// A chain's passes.
#include "codegen/chain.hpp"

#include <algorithm>
#include <utility>

#include <rankone/dsl/leaves.hpp>

#include "codegen/family.hpp"

namespace rankone {
namespace {

constexpr std::string_view of_first = "_first";

bool is_of_values(std::string_view name) { return name == "v" || name == "dv" || name == "o" || name == "do"; }
bool is_of_keys(std::string_view name) { return name == "q" || name == "k" || name == "dq" || name == "dk"; }
// And a state, or several, that is not what is carried beside one.
bool is_state(std::string_view name) { return name.ends_with("state") || name.ends_with("states"); }
// What the scan was before the call both take up; what it is behind it the second says.
bool is_end_of_scan(std::string_view name) {
  return name.ends_with("state_scan") && !name.starts_with("initial") && !name.starts_with("dinitial") &&
         name != "state_scan";
}

AxisList axes_in(Stage stage, const AxisList& axes) {
  AxisList own;
  for (const Axis axis : axes)
    own.add(axis != Axis::memory_slot ? axis : stage == Stage::first ? Axis::value : Axis::key);
  return own;
}

}  // namespace

std::optional<std::string> name_in(Stage stage, const Port& port) {
  const std::string& name = port.name;
  const bool is_passed = name == passed_input.view() || name == "d" + std::string(passed_input.view());
  if (is_of_formulas(port) && !is_passed) return name;  // a name of the declaration's own, whatever it ends with
  if (stage == Stage::second) return is_of_keys(name) || name.ends_with(of_first) ? std::nullopt : std::optional(name);
  if (is_passed) return name == passed_input.view() ? "o" : "do";
  if (is_of_values(name) || is_end_of_scan(name) || is_state(name)) return std::nullopt;
  return name.ends_with(of_first) ? name.substr(0, name.size() - of_first.size()) : name;
}

std::vector<Recurrence> recurrences_of(const Variant& variant, const CompileOptions& options) {
  if (!variant.chains_) return {{variant, options}};
  std::vector<Recurrence> both;
  for (const Stage each : {Stage::first, Stage::second}) {
    Recurrence& own = both.emplace_back(Recurrence{stage_alone(variant, each), options});
    own.options.slot_dim = 0;
    (each == Stage::first ? own.options.value_dim : own.options.key_dim) = slots_of(options);
    if (each == Stage::second) own.options.input_types.emplace_back(passed_input.view(), dtype::f32);
  }
  return both;
}

Schedule schedule_in(const Recurrence& pass, Schedule of_chain) {
  if (pass.variant.stage_ == Stage::only || !pass.variant.has(Formula::value_erase)) return of_chain;
  const KnobDomain& tiles = row_of(recurrent_family, value_tile_knob)->domain;
  of_chain.value_tile = *std::ranges::find_if(tiles, [&](int tile) { return tile >= pass.options.value_dim; });
  return of_chain;
}

std::vector<Port> passed_ports(const Variant& variant, const CompileOptions& options, Pass pass) {
  if (!variant.chains_) return {};
  const std::vector<Port> all = slots(variant, options, pass);
  std::vector<Port> list;
  for (const std::string& name : {std::string(passed_input.view()), "d" + std::string(passed_input.view())})
    if (const Port* const port = find_port(all, name)) list.push_back(*port);
  return list;
}

std::vector<Port> ports_of_stage(const Variant& chain, const CompileOptions& options, Pass pass, Stage stage) {
  const Variant own = stage_alone(chain, stage);
  const Leaves inputs = inputs_of(own), parameters = parameters_of(own);
  std::vector<Port> list;
  for (Port& port : slots(chain, options, pass)) {
    const std::optional<std::string> name = name_in(stage, port);
    const std::string_view read = port.role == PortRole::gradient ? std::string_view(port.name).substr(1) : port.name;
    if (!name ||
        (is_of_formulas(port) && *name == port.name && inputs.index_of(read) < 0 && parameters.index_of(read) < 0))
      continue;
    if (*name == "o") port.role = PortRole::output;
    if (*name == "do") port.role = PortRole::input;
    port.name = *name;
    port.axes = axes_in(stage, port.axes);
    list.push_back(std::move(port));
  }
  return list;
}

}  // namespace rankone
