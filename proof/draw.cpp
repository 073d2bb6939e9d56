// SPDX-License-Identifier: MIT
// Random numbers for tensors, the same on every platform, and from where a variant's inputs may be drawn.
#include "proof/draw.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/formula.hpp"

namespace rankone {
namespace {

constexpr int samples = 128;            // enough to meet both tails of a formula
constexpr std::size_t most_leaves = 6;  // 3^6 choices are tried; further leaves stay normal

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9E3779B97F4A7C15;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}
double unit(std::uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }  // within (0, 1)

std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0;
  for (const char letter : name) hash = mix(hash ^ static_cast<unsigned char>(letter));
  return hash;
}

// The formulas of a variant, taken apart once.
using Formulas = std::vector<std::pair<Slot, Expression>>;
Formulas formulas_of(const Variant& variant) {
  Formulas formulas;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) { formulas.emplace_back(slot, formula); });
  return formulas;
}

// Of token inputs and parameters, in the order of first use.
std::vector<std::string> tensors_of(const Formulas& formulas) {
  std::vector<std::string> names;
  for (const auto& [slot, formula] : formulas)
    for (const Node& node : formula) {
      if (node.operation != Operation::input && node.operation != Operation::parameter) continue;
      const std::string name(formula.leaf(node).view());
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  return names;
}

double scalar_value(const std::vector<NamedScalar>& scalars, std::string_view name) {
  for (const NamedScalar& each : scalars)
    if (each.name == name) return each.value;
  throw Error(ErrorCode::invalid_argument, "a run-time scalar of the variant has no value",
              "no '" + std::string(name) + "'", "a number", "scalar");
}

// Why a formula must not have this value; empty where it may.
std::string why_unsound(const Slot& slot, double value) {
  if (slot.range == Range::finite)
    return std::isfinite(value) ? "" : "the " + std::string(slot.caption) + " is not finite";
  if (std::isnan(value)) return "the " + std::string(slot.caption) + " is not a number";
  return value > 0 ? "a " + std::string(slot.caption) + " is above 0" : "";
}

// Which formula the numbers drawn for it do not suit, and why.
struct Misfit {
  std::string why{};  // empty: all suit
  Expression formula{};
};

Misfit misfit(const Formulas& formulas, const Dims& dims, const std::vector<NamedScalar>& scalars, const Draws& draws) {
  for (std::uint64_t i = 0; i < samples; ++i) {
    const double element = draw(draws.element, 1, 0, i);
    double mapped = element, decay = 1;
    const auto leaf = [&](const Leaf& leaf) -> double {
      switch (leaf.operation) {
        case Operation::element: return element;
        case Operation::key: return mapped;
        case Operation::decay: return decay;
        case Operation::head: return static_cast<double>(i % static_cast<std::uint64_t>(dims.value_heads));
        case Operation::heads: return static_cast<double>(dims.value_heads);
        case Operation::position: return static_cast<double>(i % static_cast<std::uint64_t>(2 * dims.tokens));
        case Operation::scalar: return scalar_value(scalars, leaf.view());
        default: break;
      }
      const std::string_view name = is_named(leaf.operation) ? leaf.view() : name_of(leaf.operation);
      return draw(draws.of(name), 1, stream_of(name), i);
    };
    for (const auto& [slot, formula] : formulas)
      if (slot.formula == Formula::feature_map) mapped = evaluate(formula, leaf);
    for (const auto& [slot, formula] : formulas) {
      const double value = evaluate(formula, leaf);
      if (std::string why = why_unsound(slot, value); !why.empty()) return {std::move(why), formula};
      if (slot.formula == Formula::decay) decay = std::exp(value);
    }
  }
  return {};
}

// The values of a formula's parts at the i-th head and position; none where a tensor enters.
using Parts = std::vector<std::optional<double>>;
Parts parts_without_tensors(const Expression& expression, const Dims& dims, const std::vector<NamedScalar>& scalars,
                            std::int64_t i) {
  Parts parts;
  for (const Node& node : expression) {
    const auto operand = [&](short index) {
      return index < 0 ? std::optional(0.0) : parts[static_cast<std::size_t>(index)];
    };
    std::optional<double>& part = parts.emplace_back();
    switch (node.operation) {
      case Operation::constant: part = node.value; continue;
      case Operation::scalar: part = scalar_value(scalars, expression.leaf(node).view()); continue;
      case Operation::head: part = static_cast<double>(i % dims.value_heads); continue;
      case Operation::heads: part = static_cast<double>(dims.value_heads); continue;
      case Operation::position: part = static_cast<double>(i % dims.tokens); continue;
      default: break;
    }
    if (operand_count(node.operation) == 0) continue;
    const std::optional<double> a = operand(node.left), b = operand(node.right);
    if (a && b) part = evaluate(node.operation, *a, *b);
  }
  return parts;
}

// Infinities within a formula are no fault: log(0) is a reset.
std::string why_spoilt(const Parts& parts, const Slot& slot) {
  for (const std::optional<double>& part : parts)
    if (part && std::isnan(*part)) return "a part of the " + std::string(slot.caption) + " is not a number";
  return parts.back() ? why_unsound(slot, *parts.back()) : "";
}

}  // namespace

void require_sound_scalars(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars) {
  if (scalars.empty()) return;
  for (const auto& [slot, formula] : formulas_of(variant))
    for (std::int64_t i = 0; i < samples; ++i) {
      const std::string why = why_spoilt(parts_without_tensors(formula, dims, scalars, i), slot);
      if (why.empty()) continue;
      std::string given = formula_text(formula), separator = " with ";
      for (const NamedScalar& each : scalars) {
        given += separator + each.name + " = " + to_string(each.value);
        separator = ", ";
      }
      throw Error(ErrorCode::invalid_argument, why, given,
                  "scalars under which every log-decay is at most 0 and every formula finite",
                  std::string(variant.name.view()));
    }
}

double draw(Distribution distribution, std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  const std::uint64_t bits = mix(mix(mix(seed) ^ stream) + 2 * index);
  if (distribution == Distribution::uniform) return unit(bits);
  const double normal = std::sqrt(-2 * std::log(unit(bits))) * std::cos(2 * std::numbers::pi * unit(mix(bits)));
  return distribution == Distribution::normal ? normal
                                              : std::min(normal, 0.0) - std::log1p(std::exp(-std::abs(normal)));
}

Distribution Draws::of(std::string_view name) const {
  for (const auto& [known, distribution] : named)
    if (known == name) return distribution;
  return Distribution::normal;
}

Draws choose_draws(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars) {
  require_sound_scalars(variant, dims, scalars);
  const Formulas formulas = formulas_of(variant);
  const std::vector<std::string> names = tensors_of(formulas);
  const std::size_t free = std::min(names.size(), most_leaves);
  constexpr Distribution choices[] = {Distribution::normal, Distribution::log_sigmoid, Distribution::uniform};
  Misfit first;
  std::size_t combinations = 1;
  for (std::size_t i = 0; i < free; ++i) combinations *= std::size(choices);
  for (const Distribution element : {Distribution::normal, Distribution::uniform})
    for (std::size_t combination = 0; combination < combinations; ++combination) {
      Draws draws{.named = {}, .element = element};
      for (std::size_t i = 0, digits = combination; i < free; ++i, digits /= std::size(choices))
        draws.named.emplace_back(names[i], choices[digits % std::size(choices)]);
      const Misfit found = misfit(formulas, dims, scalars, draws);
      if (found.why.empty()) return draws;
      if (first.why.empty()) first = found;
    }
  throw Error(ErrorCode::unsupported, first.why + " on random inputs", formula_text(first.formula),
              "log-decays of at most 0, as log_sigmoid gives, and finite formulas; or other scalars; or inputs of your "
              "own, through `rankone run`",
              std::string(variant.name.view()));
}

}  // namespace rankone
