// SPDX-License-Identifier: MIT
// rankone show: a variant's recurrence, tensors, gradients of its gates, passes, and JSON that reads back.
#include "tools/show.hpp"

#include <rankone/dsl.hpp>
#include <rankone/variant_json.hpp>

#include "autotune/lookup.hpp"
#include "codegen/family.hpp"
#include "codegen/names.hpp"
#include "codegen/ports.hpp"
#include "codegen/program.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/output.hpp"
#include "tools/request.hpp"
#include "tools/text.hpp"

namespace rankone {

std::string chunk_form(const Variant& variant) {
  if (const std::string_view part = part_without_chunks(variant); !part.empty())
    return "none yet for " + std::string(part) + ": the recurrent family walks token by token";
  std::string form = "scores of a chunk as one product, times the decay between each two tokens";
  if (variant.decays_by_key())
    form = "two levels: decays enter queries and keys relative to sub-chunks, so that no exponent can overflow";
  else if (!variant.has(Formula::decay))
    form = "scores of a chunk as one product, masked to the past";
  // Beside what every family has.
  if (variant.decays_by_value()) form += "; within sub-chunks values decay from token to token";
  if (variant.has(Formula::bonus))
    form += "; on their diagonal the bonus";
  else if (variant.exclusive_)
    form += "; their diagonal is zero";
  if (variant.reversed_) form += "; chunks from the last to the first";
  if (!part_beyond(variant, hopper_family.parts).empty()) form += "; in the portable family alone";
  return form;
}

std::vector<GateGradients> gate_gradients(const Variant& variant) {
  std::vector<GateGradients> all;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    const Gradients gradients = rankone::gradients(formula);
    const InfixStyle style = description::style();
    GateGradients gate{.gate = std::string(slot.name)};
    std::vector<int> roots;
    for (const auto& [leaf, node] : gradients) {
      if (node < 0 || (leaf.operation != Operation::input && leaf.operation != Operation::parameter)) continue;
      roots.push_back(node);
      gate.entries.push_back({std::string(leaf.view()), {}, to_string(gradients.graph, node, style)});
    }
    if (roots.empty()) return;
    Bindings bindings;
    const std::vector<Infix> texts = InfixWriter(gradients.graph, style, bindings).write(roots);
    for (std::size_t i = 0; i < texts.size(); ++i) gate.entries[i].gradient = texts[i].text;
    gate.shared = std::move(bindings.list);
    all.push_back(std::move(gate));
  });
  return all;
}

Json variant_document(const Variant& variant, const CompileOptions& options, Pass pass) {
  Json inputs = Json::array(), gradients = Json::array();
  for (const Port& port : ports(variant, options, pass)) {
    Json row = Json::object({{"name", port.name},
                             {"axes", names_of(port.axes)},
                             {"dtype", name_of(port.type)},
                             {"role", name_in(role_names, port.role)}});
    row.set("optional", port.optional);
    if (port.rule == TypeRule::integer) row.set("dtypes", names_of(possible_types(port)));
    if (!port.needs.empty()) row.set("needs", std::string(port.needs));
    inputs.append(row);
  }
  for (const GateGradients& gate : gate_gradients(variant))
    for (const GateGradients::Entry& each : gate.entries)
      gradients.append(Json::object({{"gate", gate.gate}, {"input", each.input}, {"gradient", each.whole}}));
  Json document = Json::object();
  document.set("name", variant.name.view());
  document.set("recurrence", describe(variant));
  document.set("inputs", inputs);
  Json scalars = Json::array();
  for (const Leaf& leaf : scalars_of(variant)) scalars.append(leaf.name.view());
  document.set("scalars", scalars);
  document.set("gradients", gradients);
  Json passes = Json::array();
  for (const std::string& pass : passes_of(variant)) passes.append(pass);
  document.set("passes", passes);
  document.set("chunk_form", chunk_form(variant));
  document.set("spec", Json::raw(variant_to_json(variant)));
  return document;
}

int command_show(const Options& options) {
  const Pass pass = pass_of(options);
  const Variant variant = resolve_variant(options.variants.front());
  require_admitted(variant, pass);
  const Dims dims = one_dims(options, {.heads = 16, .value_heads = 16, .key_dim = 128, .value_dim = 128});
  const CompileOptions compile = compile_options(options, dims);

  std::string text = paint(Color::bold, std::string(variant.name.view())) + "\n  " + describe(variant) + "\n\n";
  Table tensors({"tensor", "axes", "dtype", "role", ""});
  for (const Port& port : ports(variant, compile, pass))
    tensors.row({port.name, "[" + joined(names_of(port.axes)) + "]",
                 port.rule == TypeRule::integer ? joined(names_of(possible_types(port)), "/") : name_of(port.type),
                 std::string(name_in(role_names, port.role)), port.optional ? "optional" : ""});
  for (const Leaf& leaf : scalars_of(variant)) tensors.row({std::string(leaf.view()), "[]", "number", "scalar", ""});
  text += tensors.text();
  if (const auto gradients = gate_gradients(variant); !gradients.empty()) {
    text += "\n" + paint(Color::bold, "gradients of the gates") + "\n";
    for (const GateGradients& gate : gradients) {
      for (const GateGradients::Entry& each : gate.entries)
        text += "  d " + gate.gate + " / d " + each.input + " = " + each.gradient + "\n";
      for (const auto& [name, value] : gate.shared) text += "    " + name + " = " + value + "\n";
    }
  }
  // Also refuses pins that do not fit.
  const Device device = pick_device(options);
  const ChosenSchedule chosen =
      chosen_for(pass, variant, compile, device.arch(),
                 choose_schedule(variant, compile, device, device.arch(), expected_shape(dims)));
  text += "\npasses      " + joined(passes_of(variant)) + "\nchunk form  " + chunk_form(variant) + "\nschedule    " +
          chosen.text() + "\nspec        " + variant_to_json(variant) + "\n";
  Json document = variant_document(variant, compile, pass);
  document.set("schedule", schedule_document(chosen));
  print_result(options, document, text);
  return exit_done;
}

}  // namespace rankone
