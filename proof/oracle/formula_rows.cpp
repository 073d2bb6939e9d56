// SPDX-License-Identifier: MIT
// Row-wise evaluation of expressions.
#include "proof/oracle/formula_rows.hpp"

#include <algorithm>
#include <numeric>

#include <rankone/dsl/evaluate.hpp>
#include <rankone/dsl/leaves.hpp>

#include "proof/oracle/bind.hpp"
#include "runtime/convert.hpp"

namespace rankone::recurrence {

void load_row(const Tensor& tensor, std::int64_t offset, std::int64_t stride, std::int64_t count, double* row) {
  for (std::int64_t i = 0; i < count; ++i) row[i] = load(tensor.data, tensor.type, offset + i * stride);
}

Strides strides_of(const Tensor& tensor, const Leaf& leaf, const Slot& slot) {
  const Axes axes = resolve(leaf.axes, slot.domain);
  Strides strides;
  std::size_t axis = 0;
  const auto next_stride = [&] { return tensor.strides[axis++]; };
  if (leaf.operation == Operation::input)
    strides.batch = next_stride(), (slot.of_steps ? strides.step : strides.token) = next_stride();
  if (axes.has(Axes::head)) strides.key_head = next_stride();
  if (axes.has(Axes::value_head)) strides.head = next_stride();
  if (axes.has(Axes::key)) strides.key = next_stride();
  if (axes.has(Axes::value)) strides.value = next_stride();
  return strides;
}

FormulaRows::FormulaRows(const Slot& slot, Nodes formula, std::int64_t key_dim, std::int64_t value_dim,
                         const GivenArguments& arguments)
    : nodes_(formula.begin(), formula.end()), keys_(slot.domain.has(Axes::key) ? key_dim : 1),
      values_of_key_(slot.domain.has(Axes::value) ? value_dim : 1), width_(keys_ * values_of_key_),
      sources_(nodes_.size()), values_(nodes_.size() * static_cast<std::size_t>(width_)) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Leaf leaf = formula.leaf(nodes_[i]);
    Source& source = sources_[i];
    source.is_slope = leaf == slope_leaf;
    for (const short operand : {nodes_[i].left, nodes_[i].right})
      source.follows_slope |= operand >= 0 && (of(operand).is_slope || of(operand).follows_slope);
    if (leaf.operation == Operation::scalar && !source.is_slope)
      source.scalar = find(arguments.scalars, leaf.view())->value;
    if (!is_tensor(leaf.operation)) continue;
    source.tensor = find(arguments.inputs, leaf.view());
    source.strides = strides_of(*source.tensor, leaf, slot);
  }
}

void FormulaRows::leaf_row(const Node& node, const Source& source, const Place& place, double* row) const {
  const auto all = [&](double value) { std::fill_n(row, width_, value); };
  const auto copy = [&](const double* values) { std::copy_n(values, width_, row); };
  const TokenPlace token{static_cast<double>(place.head), static_cast<double>(place.heads),
                         static_cast<double>(place.position), static_cast<double>(place.keys)};
  if (const auto value = token.value_of(node.operation)) return all(*value);
  if (source.is_slope) return copy(place.slope);
  switch (node.operation) {
    case Operation::constant: return all(node.value);
    case Operation::scalar: return all(source.scalar);
    case Operation::element:
      for (std::int64_t i = 0; i < keys_; ++i) std::fill_n(row + i * values_of_key_, values_of_key_, place.element[i]);
      return;
    case Operation::other:
      for (std::int64_t i = 0; i < keys_; ++i) std::copy_n(place.element, values_of_key_, row + i * values_of_key_);
      return;
    case Operation::query: return copy(place.query);
    case Operation::key: return copy(place.key);
    case Operation::value: return copy(place.value);
    case Operation::decay: return copy(place.decay);
    case Operation::read: return copy(place.read);
    case Operation::normaliser: return all(*place.normaliser);
    case Operation::unit: return all(place.unit);
    case Operation::scanned: return copy(place.scanned);
    case Operation::scanned_before: return copy(place.scanned_before);
    default: break;
  }
  const std::int64_t offset = source.strides.offset_of(place);
  for (std::int64_t i = 0; i < keys_; ++i)
    load_row(*source.tensor, offset + i * source.strides.key, source.strides.value, values_of_key_,
             row + i * values_of_key_);
}

void FormulaRows::keep_zeros(const Node& node, const double* left, const double* right, double* row) const {
  if (node.operation != Operation::multiply && node.operation != Operation::divide) return;
  const auto is_slope = [&](short operand) { return of(operand).is_slope || of(operand).follows_slope; };
  const double* const slope = is_slope(node.left) ? left : right;
  for (std::int64_t i = 0; i < width_; ++i)
    if (slope[i] == 0) row[i] = 0;
}

const double* FormulaRows::operator()(const Place& place) {
  const auto row_of = [&](std::int64_t index) { return values_.data() + index * width_; };
  for (std::size_t n = 0; n < sources_.size(); ++n) {
    const Node& node = nodes_[n];
    double* row = row_of(static_cast<std::int64_t>(n));
    if (operand_count(node.operation) == 0) {
      leaf_row(node, sources_[n], place, row);
      continue;
    }
    const double* left = row_of(node.left);
    if (reduces_keys(node.operation)) {
      std::fill_n(row, width_,
                  node.operation == Operation::key_sum
                      ? std::accumulate(left, left + width_, 0.0)
                      : std::accumulate(left, left + width_, -math::infinity, math::maximum));
      continue;
    }
    const double* right = operand_count(node.operation) == 2 ? row_of(node.right) : left;
    for (std::int64_t i = 0; i < width_; ++i) row[i] = evaluate(node.operation, left[i], right[i]);
    if (sources_[n].follows_slope) keep_zeros(node, left, right, row);
  }
  return row_of(static_cast<std::int64_t>(nodes_.size()) - 1);
}

}  // namespace rankone::recurrence
