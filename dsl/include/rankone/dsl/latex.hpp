// SPDX-License-Identifier: MIT
// Variants as LaTeX, for a document that loads amsmath: the recurrence, and each formula with its gradients.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/dsl/gate_gradients.hpp>

namespace rankone {

namespace latex {

inline constexpr Fence braces{"{", "}"}, parentheses{.open = "\\left(", .close = "\\right)", .of_signs = true};

// Those that the recurrence does not use itself, and that LaTeX has.
inline constexpr std::array<std::string_view, 19> greek{"beta", "gamma", "delta",  "epsilon", "zeta", "eta", "theta",
                                                        "iota", "kappa", "lambda", "mu",      "nu",   "xi",  "rho",
                                                        "tau",  "phi",   "chi",    "psi",     "omega"};
// Letters that stand for something already: heads, sizes, the token, its step, and what is shared.
inline constexpr std::string_view taken_letters = "hHKrtz";

inline std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) text += c == '_' ? "\\_" : std::string(1, c);
  return text;
}
inline std::string upright(std::string_view name) { return "\\mathrm" + braces.around(escaped(name)); }
inline std::string name(std::string_view name) {
  if (std::find(greek.begin(), greek.end(), name) != greek.end()) return "\\" + std::string(name);
  if (name.size() == 1 && taken_letters.find(name[0]) == std::string_view::npos) return std::string(name);
  return upright(name);
}

// 1e-5 is 10^{-5}, 2e-5 a product.
inline Infix number(double value) {
  const std::string text = to_string(value);
  const std::size_t at = text.find('e');
  if (at == std::string::npos) return {text};
  const std::string digits = text.substr(0, at), exponent = text.substr(at + (text[at + 1] == '+' ? 2 : 1));
  const std::string power =
      "10^" + braces.around(exponent[0] == '-' ? "-" + exponent.substr(exponent.find_first_not_of("-0"))
                                               : exponent.substr(exponent.find_first_not_of('0')));
  if (digits == "1" || digits == "-1") return {digits == "1" ? power : "-" + power, Precedence::factor};
  return {digits + " \\cdot " + power, Precedence::product};
}

inline Infix leaf(const Leaf& leaf) {
  switch (leaf.operation) {
    case Operation::constant: return number(leaf.value);
    case Operation::input: return {name(leaf.view()) + "_{t}"};
    case Operation::query: return {"\\mathbf{q}_{t}"};
    case Operation::key: return {"\\mathbf{k}_{t}"};
    case Operation::value: return {"\\mathbf{v}_{t}"};
    case Operation::decay: return {"\\boldsymbol{\\alpha}_{t}"};
    case Operation::read: return {"\\mathbf{r}_{t}"};
    case Operation::normaliser: return {"\\mathbf{n}_{t}"};
    case Operation::passed: return {"\\mathbf{p}_{t}"};
    case Operation::unit: return {"1"};
    case Operation::scanned: return {"\\mathbf{c}_{t}"};
    case Operation::scanned_before: return {"\\mathbf{c}_{t-1}"};
    case Operation::head: return {"h"};
    case Operation::heads: return {"H"};
    case Operation::position: return {"\\mathrm{position}_{t}"};
    case Operation::element: return {"\\mathrm{element}"};
    case Operation::other: return {"\\mathrm{other}"};
    case Operation::keys: return {"K"};
    default: return {name(leaf.view())};
  }
}

inline std::string function(Operation operation) {
  switch (operation) {
    case Operation::exp: return "\\exp";
    case Operation::log: return "\\log";
    case Operation::sigmoid: return "\\sigma";
    case Operation::tanh: return "\\tanh";
    case Operation::sin: return "\\sin";
    case Operation::cos: return "\\cos";
    case Operation::minimum: return "\\min";
    case Operation::maximum: return "\\max";
    case Operation::key_max: return "\\max_{K}";
    default: return "\\operatorname" + braces.around(escaped(name_of(operation)));
  }
}

// Fractions, roots and powers; an atom is what may stand below an exponent.
inline Infix own(Operation operation, const Infix& left, const Infix& right) {
  switch (operation) {
    case Operation::negate: {
      const bool bare = left.precedence >= Precedence::factor && !left.text.starts_with('-');
      return {"-" + (bare ? left.text : parentheses.around(left.text)), Precedence::factor};
    }
    case Operation::divide:
      return {"\\frac" + braces.around(left.text) + braces.around(right.text), Precedence::factor};
    case Operation::sqrt: return {"\\sqrt" + braces.around(left.text)};
    case Operation::square: return {left.within(Precedence::atom, parentheses) + "^{2}", Precedence::factor};
    case Operation::log_sigmoid: return {"\\log" + parentheses.around("\\sigma" + parentheses.around(left.text))};
    // What follows a sum could belong to it.
    case Operation::key_sum: return {"\\sum_{K}" + parentheses.around(left.text), Precedence::sum};
    case Operation::step: return {"\\mathbf{1}\\left[" + left.text + " > 0\\right]"};
    default: return {};
  }
}

inline Notation notation() {
  return {
      .style = {.leaf = leaf, .function = function, .own = own, .parentheses = parentheses, .times = " \\cdot "},
      .query = "\\mathbf{q}_{t}",
      .key = "\\mathbf{k}_{t}",
      .value = "\\mathbf{v}_{t}",
      .decay = "\\boldsymbol{\\alpha}_{t}",
      .read = "\\mathbf{r}_{t}",
      .normaliser = "\\mathbf{n}_{t}",
      .output = "\\mathbf{o}_{t}",
      .state = {"\\mathbf{S}_{t}", "\\mathbf{S}'_{t}", "\\mathbf{S}_{t-1}", "\\mathbf{S}_{t+1}", "\\mathbf{S}_{T_{k}}"},
      .other = {"\\mathbf{R}_{t}", "\\mathbf{R}'_{t}", "\\mathbf{R}_{t+1}", "\\mathbf{R}_{t+1}", ""},
      .sum = {"\\mathbf{z}_{t}", "\\mathbf{z}'_{t}", "\\mathbf{z}_{t-1}", "\\mathbf{z}_{t+1}", "\\mathbf{z}_{T_{k}}"},
      .scan = {"\\mathbf{c}_{t}", "", "\\mathbf{c}_{t-1}", "\\mathbf{c}_{t+1}", ""},
      .first = {"\\mathbf{A}_{t}", "\\mathbf{A}'_{t}", "\\mathbf{A}_{t-1}", "\\mathbf{A}_{t+1}", ""},
      .second = {"\\mathbf{B}_{t}", "\\mathbf{B}'_{t}", "\\mathbf{B}_{t-1}", "\\mathbf{B}_{t+1}", ""},
      .passed = "\\mathbf{p}_{t}",
      .second_decay = "\\boldsymbol{\\beta}_{t}",
      .state_of_steps = {"\\mathbf{S}_{t,r}", "\\mathbf{S}_{t,r-1}", {"\\mathbf{S}_{t,", "}"}},
      .sum_of_steps = {"\\mathbf{z}_{t,r}", "\\mathbf{z}_{t,r-1}", {"\\mathbf{z}_{t,", "}"}},
      .step_key = "\\mathbf{k}_{t,r}",
      .step_value = "\\mathbf{v}_{t,r}",
      .token_index = "_{t}",
      .step_index = "_{t,r}",
      .steps = {",\\quad r = 1, \\dots, ", ""},
      .transposed = "^{\\top}",
      .each = " \\odot ",
      .usual_scale = "\\frac{1}{\\sqrt{K}} ",
      .imaginary_unit = "\\mathrm{i} \\, ",
      .letter = {"\\mathbf{", "}"},
      .name = {"\\mathrm{", "}"},
      .exponential = {"\\exp\\left(", "\\right)"},
      .diagonal = {"\\operatorname{Diag}\\left(", "\\right)"},
      .real_part = {"\\operatorname{Re}\\left(", "\\right)"},
      .formula_name = {"\\mathrm{", "}_{t}"},
      .shared_number = {"z_{", "}"}};
}

// Lines of an environment, aligned at their equals signs.
inline std::string aligned(std::string_view environment, const std::vector<Equation>& equations) {
  std::string text = "\\begin" + braces.around(environment);
  for (const Equation& each : equations)
    text += (&each == &equations.front() ? "\n" : " \\\\\n") + each.left + " &= " + each.right;
  return text + "\n\\end" + braces.around(environment) + "\n";
}

// A formula, its gradients, and what they share.
inline std::vector<Equation> equations_of(const GateGradients& gate) {
  const std::string formula = upright(gate.gate) + "_{t}",
                    differentiated = (gate.reduces_keys ? "\\sum_{K} " : "") + formula;
  std::vector<Equation> equations{{formula, gate.formula}};
  for (const GateGradients::Entry& each : gate.entries)
    equations.push_back(
        {"\\frac{\\partial " + differentiated + "}{\\partial " + leaf(each.leaf).text + "}", each.gradient});
  for (const auto& [name, value] : gate.shared) equations.push_back({name, value});
  return equations;
}

}  // namespace latex

// For a formula in display: "\begin{aligned} ... \end{aligned}".
inline std::string latex_recurrence(const Variant& variant) {
  return latex::aligned("aligned", equations_of(variant, latex::notation()));
}

// Paragraphs of a document: the recurrence, then each formula that reads a tensor, with its gradients.
inline std::string latex_of(const Variant& variant) {
  const Notation notation = latex::notation();
  std::string text = "% " + std::string(variant.name.view()) + "\n";
  text += latex::aligned("align*", equations_of(variant, notation));
  for (const GateGradients& gate : gate_gradients(variant, notation))
    text +=
        "% " + std::string(gate.gate) + " and its gradients\n" + latex::aligned("align*", latex::equations_of(gate));
  return text;
}

}  // namespace rankone
