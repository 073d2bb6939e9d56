// SPDX-License-Identifier: MIT
// rankone show: a variant's recurrence, tensors, gradients of its gates, passes, and JSON that reads back.
#include "tools/show.hpp"

#include <rankone/dsl.hpp>

#include "autotune/lookup.hpp"
#include "codegen/names.hpp"
#include "codegen/ports.hpp"
#include "codegen/variant_json.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/output.hpp"
#include "tools/request.hpp"
#include "tools/text.hpp"

namespace rankone {

std::string chunk_form(const Variant& variant) {
  switch (variant.decay_.kind) {
    case DecayKind::none: return "scores of a chunk as one product, masked to the past";
    case DecayKind::constant:
    case DecayKind::per_head: return "scores of a chunk as one product, times the decay between each two tokens";
    case DecayKind::per_key: break;
  }
  return "two levels: decays enter queries and keys relative to sub-chunks, so that no exponent can overflow";
}

std::vector<GateGradient> gate_gradients(const Variant& variant) {
  std::vector<GateGradient> gradients;
  const auto add = [&](const char* gate, const Expression& expression) {
    const auto derive = [&](const Leaves& leaves, const auto& leaf_expression) {
      for (const Leaf& leaf : leaves) {
        const Expression derivative = differentiate(expression, leaf_expression(leaf));
        if (!derivative.empty() && to_string(derivative) != "0")
          gradients.push_back({gate, std::string(leaf.name.view()), to_string(derivative)});
      }
    };
    if (expression.empty()) return;
    derive(inputs_of(variant), [](const Leaf& leaf) { return input(leaf.name); });
    derive(parameters_of(variant), [](const Leaf& leaf) { return param(leaf.name); });
  };
  add("log_decay", variant.decay_.log_decay);
  add("key", variant.key_);
  add("write_scale", variant.write_scale_);
  return gradients;
}

Json variant_document(const Variant& variant, const CompileOptions& options) {
  Json inputs = Json::array(), gradients = Json::array();
  for (const Port& port : ports(variant, options)) {
    Json row = Json::object({{"name", port.name},
                             {"axes", names_of(port.axes)},
                             {"dtype", name_of(port.type)},
                             {"role", name_in(role_names, port.role)}});
    row.set("optional", port.optional);
    inputs.append(row);
  }
  for (const GateGradient& each : gate_gradients(variant))
    gradients.append(Json::object({{"gate", each.gate}, {"input", each.input}, {"derivative", each.derivative}}));
  Json document = Json::object();
  document.set("name", variant.name.view());
  document.set("recurrence", describe(variant));
  document.set("inputs", inputs);
  Json scalars = Json::array();
  for (const Leaf& leaf : scalars_of(variant)) scalars.append(leaf.name.view());
  document.set("scalars", scalars);
  document.set("gradients", gradients);
  document.set("passes", Json::array({"forward"}));
  document.set("chunk_form", chunk_form(variant));
  document.set("spec", Json::raw(variant_to_json(variant)));
  return document;
}

int command_show(const Options& options) {
  require_pass(options);
  const Variant variant = resolve_variant(options.variants.front());
  const Dims dims = one_dims(options, {.heads = 16, .value_heads = 16, .key_dim = 128, .value_dim = 128});
  const CompileOptions compile = compile_options(options, dims);

  std::string text = paint(Color::bold, std::string(variant.name.view())) + "\n  " + describe(variant) + "\n\n";
  Table tensors({"tensor", "axes", "dtype", "role", ""});
  for (const Port& port : ports(variant, compile))
    tensors.row({port.name, "[" + joined(names_of(port.axes)) + "]",
                 port.rule == TypeRule::integer ? joined(names_of(possible_types(port)), "/") : name_of(port.type),
                 std::string(name_in(role_names, port.role)), port.optional ? "optional" : ""});
  text += tensors.text();
  if (const auto gradients = gate_gradients(variant); !gradients.empty()) {
    text += "\n" + paint(Color::bold, "derivatives of the gates") + "\n";
    for (const GateGradient& each : gradients)
      text += "  d " + each.gate + " / d " + each.input + " = " + each.derivative + "\n";
  }
  // Also refuses pins that do not fit.
  const Device device = pick_device(options);
  const ChosenSchedule chosen = choose_schedule(variant, compile, device, device.arch(), expected_shape(dims));
  text += "\npasses      forward\nchunk form  " + chunk_form(variant) + "\nschedule    " + chosen.text() +
          "\nspec        " + variant_to_json(variant) + "\n";
  Json document = variant_document(variant, compile);
  document.set("schedule", schedule_document(chosen));
  print_result(options, document, text);
  return exit_done;
}

}  // namespace rankone
