// SPDX-License-Identifier: MIT
// The catalogue as a page in Markdown: docs/catalogue.md is this text, which a test holds it against.
#include "tools/catalogue_page.hpp"

#include <cctype>

#include <rankone/dsl.hpp>
#include <rankone/dsl/latex.hpp>

#include "codegen/choose.hpp"
#include "codegen/names.hpp"
#include "codegen/ports.hpp"
#include "tools/served.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

std::string code(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string row(const std::vector<std::string>& cells) { return "| " + joined(cells, " | ") + " |\n"; }
std::string heading(const std::vector<std::string>& cells) {
  std::string rule = "|";
  for (std::size_t i = 0; i < cells.size(); ++i) rule += "---|";
  return row(cells) + rule + "\n";
}

std::string sentence(std::string_view clause) {
  std::string text(clause);
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + ".";
}

std::string source_text(const Source& source) {
  std::string title;
  for (const char c : source.title) title += c == '*' ? "\\*" : std::string(1, c);
  std::string text = std::string(source.authors) + ", *" + title + "*";
  const std::string number(source.arxiv);
  if (!number.empty()) text += ", [arXiv " + number + "](https://arxiv.org/abs/" + number + ")";
  text += ".";
  if (!source.open.empty()) text += " " + std::string(source.open);
  return text;
}

std::string recurrence_text(const Variant& variant) {
  std::string text;
  for (const auto& [left, right] : equations_of(variant)) text += "    " + left + " = " + right + "\n";
  return text + "\n$$\n" + latex_recurrence(variant) + "$$\n";
}

std::string formulas_text(const Variant& variant) {
  std::string text;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    const std::string kind =
        slot.has_domains() ? std::string(name_in(decay_names, axes_in(slot.stage, slot.domain))) : "";
    text += row({code(gate_name(slot)), kind, code(to_string(formula, formula_notation().style))});
  });
  return text.empty() ? text : "\n" + heading({"formula", "kind", ""}) + text;
}

std::string inputs_text(const Variant& variant, const CompileOptions& options) {
  std::string text;
  for (const Port& port : ports(variant, options))
    if (port.role == PortRole::gate || port.role == PortRole::parameter)
      text +=
          row({code(port.name), "[" + joined(names_of(port.axes)) + "]", std::string(name_in(role_names, port.role))});
  for (const Leaf& leaf : scalars_of(variant)) text += row({code(leaf.view()), "", "scalar"});
  return text.empty() ? text : "\n" + heading({"beside q, k, v", "axes", ""}) + text;
}

std::string scale_text(const Variant& variant) { return variant.scale_ == 0 ? "K^-0.5" : to_string(variant.scale_); }

// "`forward`: hopper on sm_90a, portable on sm_80; ..."
std::string passes_text(const std::vector<ServedPass>& passes) {
  std::string text;
  for (const ServedPass& pass : passes) {
    if (!pass.reason.empty()) continue;
    std::vector<std::string> families;
    for (const auto& [arch, family, reason, note] : pass.choices)
      families.push_back((reason.empty() ? family : "none") + " on " + arch);
    text += "- pass " + code(pass.name) + ": " + joined(families) + "\n";
  }
  return text;
}

std::string section(const Entry& entry, const CompileOptions& options, const std::vector<std::string>& archs) {
  const std::string name(entry.name.view());
  return "\n## " + name + "\n\n" + sentence(entry.source.about) + "\n\n" + source_text(entry.source) + "\n\n" +
         recurrence_text(entry) + formulas_text(entry) + inputs_text(entry, options) +
         "\n- scale: " + scale_text(entry) + "\n" +
         passes_text(served_passes(entry, usual_options(entry, options), archs)) +
         "- chunk form: " + chunk_form(entry, options).text() + "\n";
}

}  // namespace

std::string catalogue_page(const CompileOptions& options, const std::vector<std::string>& archs) {
  std::string text =
      "# The catalogue\n\n"
      "Written by `rankone list --markdown` from the declarations in `dsl/include/rankone/dsl/variants/`: to change it, "
      "change those, and see\n[CONTRIBUTING.md](../CONTRIBUTING.md). [Declaring](declaring.md) has what the words mean; "
      "in C++ an entry is `rankone::variants::NAME`. Families are\nthose of bf16 at K = V = " +
      std::to_string(options.key_dim) + ", untuned; those of feature maps with pairs at K = 16.\n\n";
  text += heading({"entry", "", "chunk form"});
  for (const Entry& entry : catalogue()) {
    const std::string name(entry.name.view());
    text +=
        row({"[" + code(name) + "](#" + name + ")", std::string(entry.source.about), chunk_form(entry, options).name});
  }
  for (const Entry& entry : catalogue()) text += section(entry, options, archs);
  return text;
}

}  // namespace rankone
