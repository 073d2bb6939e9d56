// SPDX-License-Identifier: MIT
// Random numbers for tensors, the same on every platform, and from where a variant's inputs may be drawn.
#include "proof/draw.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>
#include <optional>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/formula.hpp"
#include "proof/log_sum_exp.hpp"

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
struct Formulas {
  std::vector<std::pair<Slot, Expression>> list{};
  bool scans_exponentials = false;

  auto begin() const { return list.begin(); }
  auto end() const { return list.end(); }
};
Formulas formulas_of(const Variant& variant) {
  Formulas formulas{.scans_exponentials = variant.scans_exponentials_};
  for_each_formula(variant,
                   [&](const Slot& slot, const Expression& formula) { formulas.list.emplace_back(slot, formula); });
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

// The i-th of at most `most` numbers from 0 to `count` - 1: all of them, or evenly spread with the last one.
double spread(std::int64_t i, std::int64_t most, std::int64_t count) {
  if (count <= most) return static_cast<double>(i % count);
  return std::floor(static_cast<double>(i % most) * static_cast<double>(count - 1) / static_cast<double>(most - 1));
}

// Sequences that go on have positions beyond T.
std::int64_t positions_of(const Dims& dims) {
  return 2 * std::min(std::max(dims.tokens, dims.keys()), std::numeric_limits<std::int64_t>::max() / 2);
}

// The i-th of as many as are tried.
TokenPlace place_of(const Dims& dims, std::int64_t i) {
  return {.head = static_cast<double>(i % dims.value_heads),
          .heads = static_cast<double>(dims.value_heads),
          .position = spread(i, samples, positions_of(dims)),
          .keys = static_cast<double>(dims.key_dim)};
}

// What an erasure takes of the state at a key, or at a value.
struct Erasure {
  bool of_values;
  double scale = 0, read, write;
  Erasure(bool by_values, double key, double value)
      : of_values(by_values), read(by_values ? value : key), write(read) {}
  void learn(Formula formula, double value) {
    if (formula == (of_values ? Formula::value : Formula::key)) read = write = value;
    if (formula == Formula::erase || formula == Formula::value_erase) scale = value;
    if (formula == Formula::erase_read || formula == Formula::value_erase_read) read = value;
    if (formula == Formula::erase_write || formula == Formula::value_erase_write) write = value;
  }
  double part() const { return scale * read * write; }
};

// Those of a pass of a chain, or all there are of another variant. The scan is either pass's.
Formulas of_stage(const Formulas& all, Stage stage) {
  Formulas own{.scans_exponentials = all.scans_exponentials};
  std::ranges::copy_if(all, std::back_inserter(own.list), [&](const auto& each) {
    return each.first.stage == stage || (each.first.formula == Formula::scan && stage == Stage::second);
  });
  return own;
}

// `log_decays` gains their mean over all samples, 0 where there is no decay.
Misfit misfit_of_one(const Formulas& formulas, const Dims& dims, const std::vector<NamedScalar>& scalars,
                     const Draws& draws, double& log_decays) {
  double erased = 0;  // of what a key or a value holds, on average
  const bool of_values =
      std::ranges::any_of(formulas, [](const auto& each) { return each.first.formula == Formula::value_erase; });
  for (std::uint64_t i = 0; i < samples; ++i) {
    const double element = draws.draw_element(1, 0, i), other = draws.draw_element(1, 0, samples + i);
    double mapped = element, decay = 1, scanned = 0;
    const double scanned_before = rankone::draw(Distribution::normal, 1, 5, i);
    const double value = rankone::draw(Distribution::normal, 1, 2, i),
                 read = rankone::draw(Distribution::normal, 1, 3, i),
                 normaliser = 1 + rankone::draw(Distribution::uniform, 1, 4, i);
    const TokenPlace place = place_of(dims, static_cast<std::int64_t>(i));
    const auto leaf = [&](const Leaf& leaf) -> double {
      if (const auto value = place.value_of(leaf.operation)) return *value;
      switch (leaf.operation) {
        case Operation::element: return element;
        case Operation::other: return other;
        case Operation::query:
        case Operation::key: return mapped;
        case Operation::value: return value;
        case Operation::read: return read;
        case Operation::normaliser: return normaliser;
        case Operation::unit: return 1.0;
        case Operation::scanned: return scanned;
        case Operation::scanned_before: return scanned_before;
        case Operation::decay: return decay;
        case Operation::scalar: return scalar_value(scalars, leaf.view());
        default: break;
      }
      const std::string_view name = is_named(leaf.operation) ? leaf.view() : name_of(leaf.operation);
      return draws.draw(name, 1, stream_of(name), i);
    };
    for (const auto& [slot, formula] : formulas)
      if (slot.formula == Formula::feature_map) mapped = evaluate(formula, leaf);
    for (const auto& [slot, formula] : formulas)
      if (slot.formula == Formula::scan) {
        const double term = evaluate(formula, leaf);
        scanned = formulas.scans_exponentials ? log_sum_exp(scanned_before, term) : scanned_before + term;
      }
    Erasure erasure(of_values, mapped, value);
    for (const auto& [slot, formula] : formulas) {
      const double value = evaluate(formula, leaf);
      erasure.learn(slot.formula, value);
      if (std::string why = why_unsound(slot, value); !why.empty()) return {std::move(why), formula};
      if (slot.formula == Formula::decay) decay = std::exp(value), log_decays += value / samples;
    }
    if (!(erasure.scale >= 0 && erasure.scale <= 2))  // beyond, what is erased of a unit key comes back larger
      return {"the erase scale is not from 0 to 2", formulas.list.front().second};
    erased += erasure.part() / samples;
  }
  // More than all may not go, and nothing may be added: of equal keys at all, of random ones but for chance.
  const double chance = draws.everything ? 0 : 0.5;
  if (!(erased >= -chance && erased <= 2 + chance))
    return {std::string("what is erased of drawn ") + (of_values ? "values" : "keys") + " makes the state grow",
            formulas.list.front().second};
  return {};
}

// `log_decays` becomes their sum over the recurrences that there are.
Misfit misfit(const Formulas& formulas, const Dims& dims, const std::vector<NamedScalar>& scalars, const Draws& draws,
              double& log_decays) {
  log_decays = 0;
  for (const Stage stage : {Stage::only, Stage::first, Stage::second}) {
    const Formulas own = of_stage(formulas, stage);
    if (own.list.empty()) continue;
    if (Misfit found = misfit_of_one(own, dims, scalars, draws, log_decays); !found.why.empty()) return found;
  }
  return {};
}

// The values of a formula's parts at one place; none where a tensor enters.
using Parts = std::vector<std::optional<double>>;
Parts parts_without_tensors(const Expression& expression, const TokenPlace& place,
                            const std::vector<NamedScalar>& scalars) {
  Parts parts;
  for (const Node& node : expression) {
    const auto operand = [&](short index) {
      return index < 0 ? std::optional(0.0) : parts[static_cast<std::size_t>(index)];
    };
    std::optional<double>& part = parts.emplace_back(place.value_of(node.operation));
    switch (node.operation) {
      case Operation::constant: part = node.value; continue;
      case Operation::scalar: part = scalar_value(scalars, expression.leaf(node).view()); continue;
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

// Where a formula is looked at that reads no tensor: every head with every position, or as many as stand for all.
std::vector<TokenPlace> places_of(const Expression& formula, const Dims& dims) {
  constexpr std::int64_t most_heads = 64, most_positions = 64;
  const std::int64_t heads = reads(formula, Operation::head) ? std::min(dims.value_heads, most_heads) : 1;
  const std::int64_t positions = reads(formula, Operation::position) ? std::min(positions_of(dims), most_positions) : 1;
  std::vector<TokenPlace> places;
  for (std::int64_t head = 0; head < heads; ++head)
    for (std::int64_t position = 0; position < positions; ++position)
      places.push_back({.head = spread(head, most_heads, dims.value_heads),
                        .heads = static_cast<double>(dims.value_heads),
                        .position = spread(position, most_positions, positions_of(dims)),
                        .keys = static_cast<double>(dims.key_dim)});
  return places;
}

std::string text_of(const Expression& formula, const TokenPlace& place, const std::vector<NamedScalar>& scalars) {
  std::string text = formula_text(formula), separator = " with ";
  const auto add = [&](const std::string& name, double value) {
    text += separator + name + " = " + to_string(value);
    separator = ", ";
  };
  for (const NamedScalar& each : scalars) add(each.name, each.value);
  for (const Operation leaf : {Operation::head, Operation::heads, Operation::position, Operation::keys})
    if (reads(formula, leaf)) add(std::string(name_of(leaf)) + "()", *place.value_of(leaf));
  return text;
}

}  // namespace

void require_sound_parts(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars) {
  for (const auto& [slot, formula] : formulas_of(variant))
    for (const TokenPlace& place : places_of(formula, dims))
      if (std::string why = why_spoilt(parts_without_tensors(formula, place, scalars), slot); !why.empty())
        throw Error(ErrorCode::invalid_argument, std::move(why), text_of(formula, place, scalars),
                    "heads, positions and scalars under which every log-decay is at most 0 and every formula finite",
                    std::string(variant.name.view()));
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

std::optional<double> Draws::value_of(std::string_view name) const {
  for (const auto& [known, value] : fixed)
    if (known == name) return value;
  return everything;
}

double Draws::draw(std::string_view name, std::uint64_t seed, std::uint64_t stream, std::uint64_t index) const {
  const std::optional<double> value = value_of(name);
  return value ? *value : rankone::draw(of(name), seed, stream, index);
}

double Draws::draw_element(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) const {
  return everything ? *everything : rankone::draw(element, seed, stream, index);
}

std::string_view name_of(Inputs inputs) {
  constexpr std::string_view names[] = {"random", "equal", "strong"};
  return names[static_cast<std::size_t>(inputs)];
}

namespace {

// All ways to give each of `names` one of `count` choices, until one is taken.
template <class Try> bool any_choice(std::size_t names, std::size_t count, const Try& take) {
  std::vector<std::size_t> choice(names, 0);
  for (;;) {
    if (take(choice)) return true;
    std::size_t at = 0;
    while (at < names && ++choice[at] == count) choice[at++] = 0;
    if (at == names) return false;
  }
}

// One value for each tensor of the decays, such that decays come near the log-decay that is wanted.
std::optional<Draws> fixed_draws(const Formulas& formulas, const Dims& dims, const std::vector<NamedScalar>& scalars,
                                 Draws draws, Inputs inputs) {
  constexpr std::size_t most_fixed = 4;  // 4^4 choices; further tensors have the one of the middle
  constexpr double middle = 0.5, unit = 1;
  constexpr std::array weak{-1e-4, middle, 9.0, -9.0}, moderate{-0.5, middle, 2.0, -2.0},
      strong{-20.0, middle, 20.0, -320.0};
  const bool equal = inputs == Inputs::equal;
  // A key such as 1 - decay() has few digits where the decay is near 1, however it is rounded; and so has what a chain's first
  // pass writes to slots, 1 - exp(g).
  std::vector<std::string> of_decays;
  for (const auto& [slot, formula] : formulas)
    if (slot.formula == Formula::decay)
      for (std::string& name : tensors_of({.list = {{slot, formula}}})) of_decays.push_back(std::move(name));
  const bool key_reads_decay = std::ranges::any_of(formulas, [&](const auto& each) {
    const auto& [slot, formula] = each;
    if (slot.formula != Formula::key && !(slot.formula == Formula::value && slot.stage == Stage::first)) return false;
    return reads(formula, Operation::decay) ||
           std::ranges::any_of(tensors_of({.list = {each}}), [&](const std::string& name) {
             return std::ranges::find(of_decays, name) != of_decays.end();
           });
  });
  const std::array<double, 4>& values = !equal ? strong : key_reads_decay ? moderate : weak;
  const double wanted = !equal ? -20 : key_reads_decay ? -0.5 : -1e-4;
  // Those that decays read; the others stay as they are drawn.
  Formulas decays;
  std::ranges::copy_if(formulas, std::back_inserter(decays.list),
                       [](const auto& each) { return each.first.formula == Formula::decay; });
  const std::vector<std::string> names = tensors_of(decays);
  if (equal) draws.everything = unit;
  std::optional<Draws> best;
  double least = INFINITY;
  any_choice(std::min(names.size(), most_fixed), values.size(), [&](const std::vector<std::size_t>& choice) {
    draws.fixed.clear();
    for (std::size_t i = 0; i < names.size(); ++i)
      draws.fixed.emplace_back(names[i], i < choice.size() ? values[choice[i]] : middle);
    double log_decays = 0;
    if (!misfit(formulas, dims, scalars, draws, log_decays).why.empty()) return false;
    // Decays of 1 and of 0 are as far as it goes.
    const double off = log_decays == 0 || std::isinf(log_decays) ? 1e9 : std::abs(std::log(log_decays / wanted));
    if (off < least) least = off, best = draws;
    return names.empty();
  });
  return best;
}

Draws random_draws(const Variant& variant, const Formulas& formulas, const Dims& dims,
                   const std::vector<NamedScalar>& scalars) {
  const std::vector<std::string> names = tensors_of(formulas);
  constexpr Distribution choices[] = {Distribution::normal, Distribution::log_sigmoid, Distribution::uniform};
  Misfit first;
  for (const Distribution element : {Distribution::normal, Distribution::uniform}) {
    Draws draws{.named = {}, .element = element};
    const bool found = any_choice(std::min(names.size(), most_leaves), std::size(choices),
                                  [&](const std::vector<std::size_t>& choice) {
                                    draws.named.clear();
                                    for (std::size_t i = 0; i < choice.size(); ++i)
                                      draws.named.emplace_back(names[i], choices[choice[i]]);
                                    double log_decays = 0;
                                    Misfit each = misfit(formulas, dims, scalars, draws, log_decays);
                                    if (first.why.empty()) first = each;
                                    return each.why.empty();
                                  });
    if (found) return draws;
  }
  throw Error(ErrorCode::unsupported, first.why + " on random inputs", formula_text(first.formula),
              "log-decays of at most 0, as log_sigmoid gives, and finite formulas; or other scalars; or inputs of your "
              "own, through `rankone run`",
              std::string(variant.name.view()));
}

}  // namespace

std::optional<Draws> find_draws(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars,
                                Inputs inputs) {
  require_sound_parts(variant, dims, scalars);
  const Formulas formulas = formulas_of(variant);
  Draws draws = random_draws(variant, formulas, dims, scalars);
  return inputs == Inputs::random ? draws : fixed_draws(formulas, dims, scalars, std::move(draws), inputs);
}

Draws choose_draws(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars, Inputs inputs) {
  if (std::optional<Draws> found = find_draws(variant, dims, scalars, inputs)) return *std::move(found);
  throw Error(ErrorCode::unsupported, "no inputs of this kind suit the variant's formulas",
              std::string(name_of(inputs)), "random ones", std::string(variant.name.view()));
}

}  // namespace rankone
