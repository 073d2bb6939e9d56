// SPDX-License-Identifier: MIT
// Interval arithmetic over a formula's graph.
#include "codegen/bounds.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <rankone/dsl.hpp>

namespace rankone {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Interval anything{-infinity, infinity};
constexpr double most_growth_log2 = 16;  // of keys either way: what float16's own range is

Interval hull(std::initializer_list<double> values) {
  Interval hull{infinity, -infinity};
  for (const double value : values) {
    if (std::isnan(value)) return anything;  // zero times infinity, and the like
    hull = {std::min(hull.low, value), std::max(hull.high, value)};
  }
  return hull;
}

Interval times(Interval a, Interval b) {
  return hull({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double softplus_of(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double positive(double x) { return std::max(x, 0.0); }

Interval step(const Node& node, Interval a, Interval b) {
  const auto rising = [&](auto function) { return hull({function(a.low), function(a.high)}); };
  switch (node.operation) {
    case Operation::constant: return {node.value, node.value};
    case Operation::step: return {0, 1};
    case Operation::negate: return {-a.high, -a.low};
    case Operation::exp: return rising([](double x) { return std::exp(x); });
    case Operation::log: return rising([](double x) { return std::log(positive(x)); });
    case Operation::sigmoid: return rising(sigmoid_of);
    case Operation::log_sigmoid: return rising([](double x) { return -softplus_of(-x); });
    case Operation::softplus: return rising(softplus_of);
    case Operation::tanh: return rising([](double x) { return std::tanh(x); });
    case Operation::sin:
    case Operation::cos: return {-1, 1};
    case Operation::silu: return {-0.2785, positive(a.high)};
    case Operation::relu: return rising(positive);
    case Operation::key_sum:  // of 1 to 512 keys or features
      return hull({a.low, a.high, max_features * a.low, max_features * a.high});
    case Operation::key_max: return a;
    case Operation::sqrt: return rising([](double x) { return std::sqrt(positive(x)); });
    case Operation::square: {
      const double most = std::max(std::abs(a.low), std::abs(a.high));
      return {0, most * most};
    }
    case Operation::concatenate:
    case Operation::add: return hull({a.low + b.low, a.high + b.high});
    case Operation::subtract: return hull({a.low - b.high, a.high - b.low});
    case Operation::multiply: return times(a, b);
    case Operation::divide: return b.low <= 0 && b.high >= 0 ? anything : times(a, {1 / b.high, 1 / b.low});
    case Operation::minimum: return {std::min(a.low, b.low), std::min(a.high, b.high)};
    case Operation::maximum: return {std::max(a.low, b.low), std::max(a.high, b.high)};
    default: return {traits(node.operation).low, traits(node.operation).high};
  }
}

// x - key_max(x), and what its powers add up to: bounds of the operands say neither.
bool is_less_its_largest(Nodes formula, short node) {
  if (formula[node].operation != Operation::subtract) return false;
  const Node& subtrahend = formula[formula[node].right];
  return subtrahend.operation == Operation::key_max && subtrahend.left == formula[node].left;
}
bool is_sum_of_powers(Nodes formula, const Node& node) {
  return node.operation == Operation::key_sum && formula[node.left].operation == Operation::exp &&
         is_less_its_largest(formula, formula[node.left].left);
}

double largest_magnitude(Interval interval) { return std::max(std::abs(interval.low), std::abs(interval.high)); }

// What an error of each operand, left and right, is multiplied with at most.
std::pair<double, double> growth(const Node& node, Interval a, Interval b) {
  switch (node.operation) {
    case Operation::negate:
    case Operation::add:
    case Operation::subtract:
    case Operation::minimum:
    case Operation::maximum: return {1, 1};
    case Operation::multiply: return {largest_magnitude(b), largest_magnitude(a)};
    case Operation::divide:
      return {b.low <= 0 && b.high >= 0 ? infinity : 1 / std::min(std::abs(b.low), std::abs(b.high)), infinity};
    default: return {infinity, infinity};
  }
}

}  // namespace

std::vector<Interval> all_bounds(Nodes formula, const KnownLeaves& known) {
  std::vector<Interval> of_nodes;
  for (int i = 0; i < formula.size; ++i) {
    const Node& node = formula[i];
    const auto operand = [&](short index) { return index < 0 ? anything : of_nodes[static_cast<std::size_t>(index)]; };
    Interval bounds = step(node, operand(node.left), operand(node.right));
    if (known && operand_count(node.operation) == 0) bounds = known(node.operation).value_or(bounds);
    if (node.operation == Operation::multiply && node.left == node.right) bounds.low = std::max(bounds.low, 0.0);
    if (is_less_its_largest(formula, static_cast<short>(i))) bounds.high = 0;
    if (is_sum_of_powers(formula, node)) bounds.low = 1;
    of_nodes.push_back(bounds);
  }
  return of_nodes;
}

Interval bounds_of(Nodes formula, const KnownLeaves& known) {
  return formula.size == 0 ? anything : all_bounds(formula, known).back();
}

Interval normaliser_bounds(const Variant& variant) {
  if (variant.has(Formula::erase) || variant.scale_ < 0) return anything;
  const Interval mapped = bounds_of(variant.formula(Formula::feature_map));
  const auto features = [&](Operation leaf) {
    return leaf == Operation::query || leaf == Operation::key ? std::optional(mapped) : std::nullopt;
  };
  const auto is_negative = [&](Formula which, double otherwise) {
    return !((variant.has(which) ? bounds_of(variant.formula(which), features).low : otherwise) >= 0);
  };
  if (is_negative(Formula::query, mapped.low) || is_negative(Formula::key, mapped.low) ||
      is_negative(Formula::write_scale, 0) || is_negative(Formula::write_lagged, 0) || is_negative(Formula::bonus, 0))
    return anything;
  return {0, infinity};
}

double growth_of_log_errors(Nodes formula) {
  const std::vector<Interval> bounds = all_bounds(formula);
  std::vector<double> grown(bounds.size(), 0);  // on the way to the result, over all ways
  double largest = 0;
  if (!grown.empty()) grown.back() = 1;
  for (std::size_t i = bounds.size(); i-- > 0;) {
    const Node& node = formula[static_cast<int>(i)];
    const bool is_logarithm = node.operation == Operation::log || node.operation == Operation::log_sigmoid ||
                              node.operation == Operation::softplus;
    if (is_logarithm) largest = std::max(largest, grown[i]);
    const auto operand = [&](short index) { return index < 0 ? anything : bounds[static_cast<std::size_t>(index)]; };
    const auto [left, right] = growth(node, operand(node.left), operand(node.right));
    const auto pass = [&](short index, double factor) {
      if (index >= 0 && grown[i] > 0 && factor > 0) grown[static_cast<std::size_t>(index)] += grown[i] * factor;
    };
    pass(node.left, left);
    pass(node.right, right);
  }
  return largest;
}

namespace {

// Of what formulas make of k, or in its place.
double largest_factor(const Variant& variant) {
  double largest = 1;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    if (slot.multiplies_write) largest *= largest_magnitude(bounds_of(formula));
  });
  return largest;
}

}  // namespace

std::string why_beyond_f16(const Variant& variant) {
  if (variant.decays_by_value()) return "what values meet decays of their columns at may leave float16's range";
  if (variant.has(Formula::feature_map)) return "a feature map may leave float16's range";
  if (variant.has(Formula::key) && (!variant.decays_by_key() || reads_key(variant)))
    return "a written key that is computed from k, or without per-key decays, may leave float16's range";
  if (variant.decays_by_key() && variant.has(Formula::bonus) &&
      !(largest_magnitude(bounds_of(variant.formula(Formula::bonus))) <= 1))
    return "a bonus beyond 1 may leave float16's range";
  if (variant.decays_by_key() && !(largest_factor(variant) <= std::exp2(most_growth_log2)))
    return "nothing bounds what is written in k's place, and it may leave float16's range";
  return {};
}

int key_growth_log2(const Variant& variant) {
  if (!variant.decays_by_key()) return 0;
  return static_cast<int>(
      std::clamp(std::ceil(std::log2(largest_factor(variant))), -most_growth_log2, most_growth_log2));
}

}  // namespace rankone
