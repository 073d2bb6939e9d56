// SPDX-License-Identifier: MIT
// Relative errors, of the whole tensor and row by row.
#include "proof/oracle/compare.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <rankone/error.hpp>

#include "proof/memory.hpp"
#include "runtime/convert.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone {
namespace {

constexpr double row_factor = 5;               // a row may be off by this many bounds
constexpr std::int64_t least_pooled_row = 16;  // elements
constexpr double floor_element = 1e-6;         // a reference smaller than this on average counts as this

// Where row `index` of the tensor starts.
std::int64_t row_offset(const Tensor& tensor, std::int64_t index) {
  std::int64_t offset = 0;
  for (int axis = tensor.rank - 2; axis >= 0; --axis) {
    const auto i = static_cast<std::size_t>(axis);
    offset += index % tensor.shape[i] * tensor.strides[i];
    index /= tensor.shape[i];
  }
  return offset;
}

struct Row {
  double error = 0, norm = 0;  // squared
};

// Whether both are the logarithm of nothing, as a running maximum may be, or a result has overflowed where its type cannot hold
// the reference, nor much less.
bool is_rightly_infinite(double result, double reference, dtype type) {
  if (reference == -INFINITY) return result == reference;
  double stored = 0;
  store(&stored, type, 0, reference * (1 + 0x1p-7));
  return std::isfinite(reference) && std::isinf(load(&stored, type, 0)) && result == std::copysign(INFINITY, reference);
}

Row measure(const Tensor& result, const Tensor& reference, std::int64_t index, std::int64_t length) {
  const auto last = static_cast<std::size_t>(std::max(result.rank - 1, 0));
  const std::int64_t at = row_offset(result, index), reference_at = row_offset(reference, index);
  Row row;
  for (std::int64_t i = 0; i < length; ++i) {
    const double x = load(result.data, result.type, at + i * result.strides[last]);
    const double r = load(reference.data, reference.type, reference_at + i * reference.strides[last]);
    if (is_rightly_infinite(x, r, result.type)) continue;  // and is not measured against other elements
    row.error += (x - r) * (x - r);
    row.norm += r * r;
  }
  return row;
}

// `together` neighbours as one row; what is left over at the end joins the last.
std::vector<Row> joined(const std::vector<Row>& rows, std::size_t together) {
  std::vector<Row> wide(std::max<std::size_t>(rows.size() / together, 1));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Row& row = wide[std::min(i / together, wide.size() - 1)];
    row.error += rows[i].error;
    row.norm += rows[i].norm;
  }
  return wide;
}

Comparison compare_rows(const std::vector<Compared>& draws, double bound, std::int64_t least_row) {
  Comparison comparison{.ok = true};  // without elements
  std::int64_t elements = 0, length = 1;
  std::vector<Row> rows;
  Row whole;
  double fourth = 0;
  for (const auto& [result, reference] : draws) {
    require_readable("compare, result", result);
    require_readable("compare, reference", reference);
    if (result.rank != reference.rank ||
        !std::equal(result.shape.begin(), result.shape.begin() + result.rank, reference.shape.begin()))
      throw Error(ErrorCode::invalid_argument, "tensors that are compared have different shapes",
                  shape_text(result) + " and " + shape_text(reference), "one shape", "compare");
    const std::int64_t size = result.elements();
    if (size == 0) continue;
    elements += size;
    length = result.rank == 0 ? 1 : result.shape[static_cast<std::size_t>(result.rank - 1)];
    const std::int64_t count = size / length;
    require_memory(static_cast<double>(count) * sizeof(Row), shape_text(result), "compare");
    for (std::int64_t i = 0; i < count; ++i) {
      rows.push_back(measure(result, reference, i, length));
      whole.error += rows.back().error;
      whole.norm += rows.back().norm;
      fourth += rows.back().norm * rows.back().norm;
    }
  }
  if (elements == 0) return comparison;
  if (fourth > 0) comparison.effective_rows = whole.norm * whole.norm / fourth;
  const std::int64_t together = (least_row + length - 1) / length;
  if (together > 1) {
    rows = joined(rows, static_cast<std::size_t>(together));
    length *= together;
  }
  const double n = static_cast<double>(elements);
  comparison.relative_error = std::sqrt(whole.error) / std::max(std::sqrt(whole.norm), floor_element * std::sqrt(n));

  const double typical = std::max(std::sqrt(whole.norm / static_cast<double>(rows.size())),
                                  floor_element * std::sqrt(static_cast<double>(length)));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double error = std::sqrt(rows[i].error) / std::max(std::sqrt(rows[i].norm), typical);
    // Written so that a NaN counts as worst and stays.
    if (std::isnan(comparison.worst_row) || error <= comparison.worst_row) continue;
    comparison.worst_row = error;
    comparison.worst_index = static_cast<std::int64_t>(i) * together;
  }
  comparison.ok = comparison.within(bound);
  return comparison;
}

}  // namespace

bool Comparison::within(double bound) const { return relative_error <= bound && worst_row <= row_factor * bound; }

Comparison compare(const Tensor& result, const Tensor& reference, double bound) {
  return compare_rows({{result, reference}}, bound, 1);
}
Comparison compare(const std::vector<Compared>& draws, double bound) {
  return compare_rows(draws, bound, draws.size() > 1 ? least_pooled_row : 1);
}

}  // namespace rankone
