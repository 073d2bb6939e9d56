// SPDX-License-Identifier: MIT
// rankone show: a variant's recurrence, tensors, gradients of its gates, passes, and JSON that reads back.
#include "tools/show.hpp"

#include <rankone/dsl.hpp>
#include <rankone/dsl/latex.hpp>
#include <rankone/variant_json.hpp>

#include "autotune/lookup.hpp"
#include "codegen/guards.hpp"
#include "codegen/names.hpp"
#include "codegen/ports.hpp"
#include "codegen/program.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/help.hpp"
#include "tools/output.hpp"
#include "tools/request.hpp"
#include "tools/served.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

Json port_document(const Port& port) {
  Json row = Json::object({{"name", port.name},
                           {"axes", names_of(port.axes)},
                           {"dtype", name_of(port.type)},
                           {"role", name_in(role_names, port.role)}});
  row.set("optional", port.optional);
  if (port.rule == TypeRule::integer) row.set("dtypes", names_of(possible_types(port)));
  if (!port.needs.empty()) row.set("needs", port.needs);
  return row;
}

Json ports_document(const Variant& variant, const CompileOptions& options, Pass pass) {
  Json rows = Json::array();
  for (const Port& port : ports(variant, options, pass)) rows.append(port_document(port));
  return rows;
}

Json gradients_document(const Variant& variant) {
  Json gradients = Json::array();
  for (const GateGradients& gate : gate_gradients(variant))
    for (const GateGradients::Entry& each : gate.entries)
      gradients.append(Json::object({{"gate", gate.gate}, {"input", each.leaf.view()}, {"gradient", each.whole}}));
  return gradients;
}

Json families_document(const std::vector<ServedPass>& passes) {
  Json families = Json::array();
  for (const ServedPass& pass : passes)
    for (const auto& [arch, family, reason, note] : pass.choices) {
      Json row = Json::object({{"pass", pass.name}, {"arch", arch}});
      row.set("family", reason.empty() ? Json(family) : Json());
      if (!reason.empty()) row.set("reason", reason);
      if (!note.empty()) row.set("why_by_token", note);
      families.append(row);
    }
  return families;
}

Json source_document(const Source& source) {
  return Json::object({{"about", source.about},
                       {"title", source.title},
                       {"authors", source.authors},
                       {"arxiv", source.arxiv},
                       {"open", source.open}});
}

// A row for each tensor of any pass, with the passes that take it so.
std::string tensor_table(const Variant& variant, const CompileOptions& options, const std::vector<ServedPass>& passes) {
  struct Row {
    std::vector<std::string> cells, passes;
  };
  std::vector<Row> rows;
  for (const ServedPass& pass : passes) {
    if (!pass.reason.empty()) continue;
    for (const Port& port : ports(variant, options, pass.pass)) {
      const std::vector<std::string> cells{
          port.name, "[" + joined(names_of(port.axes)) + "]",
          port.rule == TypeRule::integer ? joined(names_of(possible_types(port)), "/") : name_of(port.type),
          std::string(name_in(role_names, port.role)), port.optional ? "optional" : ""};
      const auto same = std::ranges::find(rows, cells, &Row::cells);
      (same == rows.end() ? rows.emplace_back(Row{cells, {}}) : *same).passes.push_back(pass.name);
    }
  }
  Table table({"tensor", "axes", "dtype", "role", "", "passes"});
  for (Row& row : rows) {
    row.cells.push_back(joined(row.passes));
    table.row(row.cells);
  }
  for (const Leaf& leaf : scalars_of(variant)) table.row({std::string(leaf.view()), "[]", "number", "scalar", "", ""});
  return table.text(help_width());
}

std::string gradients_text(const Variant& variant) {
  std::string text;
  for (const GateGradients& gate : gate_gradients(variant)) {
    text += text.empty() ? "\n" + paint(Color::bold, "gradients of the gates") + "\n" : "";
    text += "  " + std::string(gate.gate) + " = " + gate.formula + "\n";
    const std::string differentiated =
        gate.reduces_keys ? "key_sum(" + std::string(gate.gate) + ")" : std::string(gate.gate);
    for (const GateGradients::Entry& each : gate.entries)
      text += "  d " + differentiated + " / d " + std::string(each.leaf.view()) + " = " + each.gradient + "\n";
    for (const auto& [name, value] : gate.shared) text += "    " + name + " = " + value + "\n";
  }
  return text;
}

// What a formula computes out of its domain where its operands are not what their author means them to be.
std::string guards_text(const Variant& variant) {
  std::string text;
  for (const MissingGuard& each : missing_guards(variant)) {
    text += text.empty() ? "\n" + paint(Color::bold, "guards that may be missing") + "\n" : "";
    text += "  " + gate_name(slot_in(each.stage, slot_of(each.formula), Axes::none)) + ": " + each.operation +
            ", since " + each.reason + ": " + each.guard + "\n";
  }
  return text;
}
Json guards_document(const Variant& variant) {
  Json list = Json::array();
  for (const MissingGuard& each : missing_guards(variant))
    list.append(Json::object({{"gate", gate_name(slot_in(each.stage, slot_of(each.formula), Axes::none))},
                              {"operation", each.operation},
                              {"reason", each.reason},
                              {"guard", each.guard}}));
  return list;
}

// The family that serves each pass, and beneath why there is no other.
std::string pass_table(const std::vector<ServedPass>& passes, const std::vector<std::string>& archs) {
  std::vector<std::string> heading{"pass"};
  heading.insert(heading.end(), archs.begin(), archs.end());
  Table table(heading);
  std::string notes;
  for (const ServedPass& pass : passes) {
    if (!pass.reason.empty()) notes += "no " + pass.name + ": " + pass.reason + "\n";
    if (!pass.reason.empty()) continue;
    std::vector<std::string> cells{pass.name};
    std::string note;
    for (const ServedPass::Choice& choice : pass.choices) {
      cells.push_back(choice.reason.empty() ? choice.family : "-");
      if (!choice.reason.empty()) notes += "no " + pass.name + " on " + choice.arch + ": " + choice.reason + "\n";
      if (!choice.note.empty()) note = pass.name + " token by token: " + choice.note + "\n";
    }
    notes += note;
    table.row(cells);
  }
  return "\n" + table.text(help_width()) + notes;
}

}  // namespace

std::vector<std::string> shown_archs(const Options& options) {
  if (options.archs.empty()) return {"sm_90a", "sm_80"};
  return all_archs(options, Device());
}

const Source* source_of(const Variant& variant) {
  const Entry* const entry = find_variant(variant.name.view());
  return entry != nullptr && static_cast<const Variant&>(*entry) == variant ? &entry->source : nullptr;
}

Json variant_document(const Variant& variant, const CompileOptions& options, const std::vector<std::string>& archs,
                      Pass shown) {
  const std::vector<ServedPass> passes = served_passes(variant, options, archs);
  Json scalars = Json::array(), tensors = Json::object(), missing = Json::array();
  for (const Leaf& leaf : scalars_of(variant)) scalars.append(leaf.name.view());
  for (const ServedPass& pass : passes) {
    if (pass.reason.empty())
      tensors.set(pass.name, ports_document(variant, options, pass.pass));
    else
      missing.append(Json::object({{"pass", pass.name}, {"reason", pass.reason}}));
  }
  Json document = Json::object({{"name", variant.name.view()}});
  if (const Source* source = source_of(variant)) document.set("source", source_document(*source));
  document.set("recurrence", describe(variant));
  document.set("latex", latex_of(variant));
  document.set("inputs", ports_document(variant, options, shown));
  document.set("scalars", scalars);
  document.set("gradients", gradients_document(variant));
  document.set("missing_guards", guards_document(variant));
  document.set("passes", passes_of(variant));
  document.set("tensors", tensors);
  document.set("families", families_document(passes));
  document.set("missing_passes", missing);
  document.set("chunk_form", chunk_form(variant, options).text());
  document.set("spec", Json::raw(variant_to_json(variant)));
  return document;
}

int command_show(const Options& options) {
  const Pass pass = pass_of(options);
  const Variant variant = resolve_variant(options.variants.front());
  require_admitted(variant, pass);
  const Dims dims = one_dims(options, variant, any_calls(options, 16));
  const CompileOptions compile = compile_options(options, dims);
  const std::vector<std::string> archs = shown_archs(options);
  // Also refuses pins that do not fit.
  const Device device = pick_device(options);
  const ChosenSchedule chosen =
      chosen_for(pass, variant, compile, device.arch(),
                 choose_schedule(variant, compile, device, device.arch(), expected_shape(dims)));

  std::string text;
  if (options.latex) {
    text = latex_of(variant);
  } else {
    const std::vector<ServedPass> passes = served_passes(variant, compile, archs);
    std::vector<ServedPass> shown;  // the pass that is asked for, or else all
    for (const ServedPass& each : passes)
      if (options.pass.empty() || each.pass == pass) shown.push_back(each);
    text = paint(Color::bold, std::string(variant.name.view())) + "\n  " + describe(variant) + "\n\n" +
           tensor_table(variant, compile, shown) + gradients_text(variant) + guards_text(variant) +
           pass_table(passes, archs) + "\nchunk form  " + chunk_form(variant, compile).text() + "\nschedule    " +
           chosen.text() + "\nspec        " + variant_to_json(variant) + "\n";
  }
  Json document = variant_document(variant, compile, archs, pass);
  document.set("schedule", schedule_document(chosen));
  print_result(options, document, text);
  return exit_done;
}

}  // namespace rankone
