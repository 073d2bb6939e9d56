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

void collect(std::vector<std::string>& names, const Expression& expression) {
  for (const Node& node : expression) {
    if (node.operation != Operation::input && node.operation != Operation::parameter) continue;
    const std::string name(node.name.view());
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
}

double scalar_value(const std::vector<NamedScalar>& scalars, std::string_view name) {
  for (const NamedScalar& each : scalars)
    if (each.name == name) return each.value;
  throw Error(ErrorCode::invalid_argument, "a run-time scalar of the variant has no value",
              "no '" + std::string(name) + "'", "a number");
}

// Which formula the numbers drawn for it do not suit, and why.
struct Misfit {
  const char* why = nullptr;  // null: all suit
  Expression formula{};
};

Misfit misfit(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars, const Draws& draws) {
  for (std::uint64_t i = 0; i < samples; ++i) {
    const double element = draw(draws.element, 1, 0, i);
    double mapped = element, decay = 1;
    const auto leaf = [&](const Node& node) -> double {
      switch (node.operation) {
        case Operation::element: return element;
        case Operation::key: return mapped;
        case Operation::decay: return decay;
        case Operation::head: return static_cast<double>(i % static_cast<std::uint64_t>(dims.value_heads));
        case Operation::heads: return static_cast<double>(dims.value_heads);
        case Operation::position: return static_cast<double>(i % static_cast<std::uint64_t>(dims.tokens));
        case Operation::scalar: return scalar_value(scalars, node.name.view());
        default: break;
      }
      const std::string_view name = node.name.view();
      return draw(draws.of(name), 1, stream_of(name), i);
    };
    if (!variant.feature_map_.empty()) mapped = evaluate(variant.feature_map_, leaf);
    const double log_decay = variant.decay_.log_decay.empty() ? 0 : evaluate(variant.decay_.log_decay, leaf);
    decay = std::exp(log_decay);
    const double key = variant.key_.empty() ? mapped : evaluate(variant.key_, leaf);
    const double scale = variant.write_scale_.empty() ? 1 : evaluate(variant.write_scale_, leaf);
    if (!std::isfinite(mapped)) return {"the feature map is not finite", variant.feature_map_};
    if (std::isnan(log_decay)) return {"the log-decay is not a number", variant.decay_.log_decay};
    if (log_decay > 0) return {"a log-decay is above 0", variant.decay_.log_decay};
    if (!std::isfinite(key)) return {"the key is not finite", variant.key_};
    if (!std::isfinite(scale)) return {"the write scale is not finite", variant.write_scale_};
  }
  return {};
}

// The values of a formula's parts at the i-th head and position; none where a tensor enters.
using Parts = std::array<std::optional<double>, max_nodes>;
Parts parts_without_tensors(const Expression& expression, const Dims& dims, const std::vector<NamedScalar>& scalars,
                            std::int64_t i) {
  Parts parts;
  for (std::size_t n = 0; n < static_cast<std::size_t>(expression.size); ++n) {
    const Node& node = expression.nodes[n];
    const auto operand = [&](short index) {
      return index < 0 ? std::optional(0.0) : parts[static_cast<std::size_t>(index)];
    };
    switch (node.operation) {
      case Operation::constant: parts[n] = node.value; continue;
      case Operation::scalar: parts[n] = scalar_value(scalars, node.name.view()); continue;
      case Operation::head: parts[n] = static_cast<double>(i % dims.value_heads); continue;
      case Operation::heads: parts[n] = static_cast<double>(dims.value_heads); continue;
      case Operation::position: parts[n] = static_cast<double>(i % dims.tokens); continue;
      default: break;
    }
    if (operand_count(node.operation) == 0) continue;
    const std::optional<double> a = operand(node.left), b = operand(node.right);
    if (a && b) parts[n] = evaluate(node.operation, *a, *b);
  }
  return parts;
}

const char* why_spoilt(const Parts& parts, const Expression& expression, bool is_decay) {
  if (expression.empty()) return nullptr;
  for (const std::optional<double>& part : parts)
    if (part && std::isnan(*part)) return is_decay ? "the log-decay is not a number" : "a formula is not a number";
  const std::optional<double> whole = parts[static_cast<std::size_t>(expression.size - 1)];
  if (is_decay) return whole && *whole > 0 ? "a log-decay is above 0" : nullptr;
  return whole && std::isinf(*whole) ? "a formula is not finite" : nullptr;
}

}  // namespace

void require_sound_scalars(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars) {
  if (scalars.empty()) return;
  const auto require = [&](const Expression& expression, bool is_decay) {
    for (std::int64_t i = 0; i < samples; ++i) {
      const char* why = why_spoilt(parts_without_tensors(expression, dims, scalars, i), expression, is_decay);
      if (why == nullptr) continue;
      std::string given = formula_text(expression), separator = " with ";
      for (const NamedScalar& each : scalars) {
        given += separator + each.name + " = " + to_string(each.value);
        separator = ", ";
      }
      throw Error(ErrorCode::invalid_argument, why, given,
                  "scalars under which every log-decay is at most 0 and every formula finite",
                  std::string(variant.name.view()));
    }
  };
  require(variant.decay_.log_decay, true);
  require(variant.key_, false);
  require(variant.write_scale_, false);
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
  std::vector<std::string> names;
  for (const Expression* each : {&variant.decay_.log_decay, &variant.write_scale_, &variant.key_})
    collect(names, *each);
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
      const Misfit found = misfit(variant, dims, scalars, draws);
      if (found.why == nullptr) return draws;
      if (first.why == nullptr) first = found;
    }
  throw Error(ErrorCode::unsupported, std::string(first.why) + " on random inputs", formula_text(first.formula),
              "log-decays of at most 0, as log_sigmoid gives, and finite formulas; or other scalars; or inputs of your "
              "own, through `rankone run`",
              std::string(variant.name.view()));
}

}  // namespace rankone
