// SPDX-License-Identifier: MIT
// The recurrence in float64.
#include "proof/oracle/oracle.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/scale.hpp>
#include <rankone/dsl/validate.hpp>

#include "proof/oracle/bind.hpp"
#include "proof/oracle/formula_rows.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

using recurrence::FormulaRows;
using recurrence::Place;
using recurrence::Sizes;
using recurrence::Span;

constexpr double worth_a_thread = 1e7;  // multiplications; some milliseconds

class Recurrence {
 public:
  Recurrence(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments)
      : arguments_(arguments), sizes_(recurrence::bind(variant, options, arguments)), variant_(variant),
        reads_key_(reads_key(variant)), value_major_(options.value_major_state) {
    for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
      rows_of(slot.formula) = FormulaRows(slot, formula, sizes_.key_dim, sizes_.value_dim, arguments);
    });
    const auto row = [](std::int64_t size) { return std::vector<double>(static_cast<std::size_t>(size)); };
    q_ = row(sizes_.key_dim), k_ = row(sizes_.key_dim);
    v_ = row(sizes_.value_dim), o_ = row(sizes_.value_dim), erased_ = row(sizes_.value_dim);
    state_ = row(sizes_.key_dim * sizes_.value_dim);
    decay_.key_step = variant.decays_by_key() ? (variant.decays_by_value() ? sizes_.value_dim : 1) : 0;
    decay_.value_step = variant.decays_by_value() ? 1 : 0;
    scale_ = scale_of(variant, sizes_.key_dim, arguments.scale);
  }

  // Independent pieces of work, one for each sequence and value head.
  std::int64_t pieces() const { return static_cast<std::int64_t>(sizes_.sequences.size()) * sizes_.value_heads; }
  double operations() const {
    const auto size = [](std::int64_t each) { return static_cast<double>(each); };
    return size(sizes_.batch) * size(sizes_.tokens) * size(sizes_.value_heads) * size(sizes_.key_dim) *
           size(sizes_.value_dim);
  }
  void run(std::int64_t piece) { run(piece / sizes_.value_heads, piece % sizes_.value_heads); }

 private:
  FormulaRows& rows_of(Formula formula) { return rows_[static_cast<std::size_t>(formula)]; }

  void run(std::int64_t n, std::int64_t head) {
    const Span& span = sizes_.sequences[static_cast<std::size_t>(n)];
    load_state(n, head);
    Place place{.batch = span.batch,
                .head = head,
                .key_head = head / (sizes_.value_heads / sizes_.heads),
                .heads = sizes_.value_heads};
    for (std::int64_t i = 0; i < span.end - span.begin; ++i) {
      place.token = variant_.reversed_ ? span.end - 1 - i : span.begin + i;
      place.position = span.position + place.token - span.begin;
      step(place);
    }
    store_state(n, head);
  }

  // A token, as Variant says it.
  void step(Place place) {
    set_decay(place);
    load_token(arguments_.v, place, place.head, v_);
    place.value = v_.data();
    if (reads_key_) load_features(arguments_.k, place, k_), place.key = k_.data();
    place.decay = decay_.factors.data();
    const double* key = row_or(Formula::key, place, place.key);
    const double* value = row_or(Formula::value, place, place.value);
    const double write = number_or(Formula::write_scale, place, 1);
    const bool before = variant_.reads_before();
    if (before) read(place, key, value, write);
    if (variant_.has(Formula::erase)) erase(place, key);
    const bool is_decayed = variant_.has(Formula::erase);
    each_element([&](std::int64_t i, std::int64_t j, double& element) {
      element = (is_decayed ? 1 : decay_.at(i, j)) * element + write * key[i] * value[j];
    });
    if (!before) read(place, key, value, write);
  }
  // The state decays, and what the key held is taken from it.
  void erase(const Place& place, const double* key) {
    const double* const from = row_or(Formula::erase_read, place, key);
    if (variant_.erases_undecayed_) project(from, erased_);
    each_element([&](std::int64_t i, std::int64_t j, double& element) { element *= decay_.at(i, j); });
    if (!variant_.erases_undecayed_) project(from, erased_);
    const double scale = number_or(Formula::erase, place, 1);
    const double* const at = row_or(Formula::erase_write, place, key);
    each_element([&](std::int64_t i, std::int64_t j, double& element) {
      element -= scale * at[i] * erased_[static_cast<std::size_t>(j)];
    });
  }

  void set_decay(const Place& place) {
    if (!rows_of(Formula::decay).given()) return void(decay_.factors.assign(1, 1));
    FormulaRows& rows = rows_of(Formula::decay);
    const double* log_decay = rows(place);
    decay_.factors.resize(static_cast<std::size_t>(rows.width()));
    for (std::size_t i = 0; i < decay_.factors.size(); ++i) decay_.factors[i] = std::exp(log_decay[i]);
  }
  // Valid until the formula's next row.
  const double* row_or(Formula which, const Place& place, const double* otherwise) {
    FormulaRows& rows = rows_of(which);
    return rows.given() ? rows(place) : otherwise;
  }
  double number_or(Formula which, const Place& place, double otherwise) {
    FormulaRows& rows = rows_of(which);
    return rows.given() ? *rows(place) : otherwise;
  }
  template <class Change> void each_element(const Change& change) {
    for (std::int64_t i = 0; i < sizes_.key_dim; ++i)
      for (std::int64_t j = 0; j < sizes_.value_dim; ++j)
        change(i, j, state_[static_cast<std::size_t>(i * sizes_.value_dim + j)]);
  }
  // What a row of keys reads of the state as it is.
  void project(const double* keys, std::vector<double>& sums) {
    sums.assign(sums.size(), 0);
    each_element([&](std::int64_t i, std::int64_t j, double& element) {
      sums[static_cast<std::size_t>(j)] += keys[i] * element;
    });
  }

  void read(Place place, const double* key, const double* value, double write) {
    if (!arguments_.o) return;
    load_features(arguments_.q, place, q_);
    place.query = q_.data();
    const double* query = row_or(Formula::query, place, place.query);
    project(query, o_);
    if (rows_of(Formula::bonus).given()) {
      const double* bonus = rows_of(Formula::bonus)(place);
      double own = 0;
      for (std::int64_t i = 0; i < sizes_.key_dim; ++i) own += query[i] * bonus[i] * key[i];
      for (std::size_t j = 0; j < o_.size(); ++j) o_[j] += own * write * value[j];
    }
    for (double& element : o_) element *= scale_;
    place.read = o_.data();
    const double* output = row_or(Formula::output, place, place.read);
    const Tensor& o = arguments_.o;
    const std::int64_t offset = place.batch * o.strides[0] + place.token * o.strides[1] + place.head * o.strides[2];
    for (std::int64_t j = 0; j < sizes_.value_dim; ++j) store(o.data, o.type, offset + j * o.strides[3], output[j]);
  }

  static void load_token(const Tensor& tensor, const Place& place, std::int64_t head, std::vector<double>& row) {
    const std::int64_t offset =
        place.batch * tensor.strides[0] + place.token * tensor.strides[1] + head * tensor.strides[2];
    recurrence::load_row(tensor, offset, tensor.strides[3], static_cast<std::int64_t>(row.size()), row.data());
  }
  // Of q or k, behind the feature map.
  void load_features(const Tensor& tensor, Place place, std::vector<double>& row) {
    load_token(tensor, place, place.key_head, row);
    FormulaRows& feature_map = rows_of(Formula::feature_map);
    if (!feature_map.given()) return;
    place.element = row.data();
    const double* mapped = feature_map(place);
    row.assign(mapped, mapped + row.size());
  }

  template <class Element>
  void each_state_element(const Tensor& tensor, std::int64_t n, std::int64_t head, const Element& element) {
    const std::int64_t key_stride = tensor.strides[value_major_ ? 3 : 2],
                       value_stride = tensor.strides[value_major_ ? 2 : 3];
    const std::int64_t offset = n * tensor.strides[0] + head * tensor.strides[1];
    for (std::int64_t i = 0; i < sizes_.key_dim; ++i)
      for (std::int64_t j = 0; j < sizes_.value_dim; ++j)
        element(state_[static_cast<std::size_t>(i * sizes_.value_dim + j)], offset + i * key_stride + j * value_stride);
  }
  void load_state(std::int64_t n, std::int64_t head) {
    const Tensor& tensor = arguments_.initial_state;
    if (!tensor) return void(state_.assign(state_.size(), 0));
    each_state_element(tensor, n, head,
                       [&](double& value, std::int64_t at) { value = load(tensor.data, tensor.type, at); });
  }
  void store_state(std::int64_t n, std::int64_t head) {
    const Tensor& tensor = arguments_.final_state;
    if (!tensor) return;
    each_state_element(tensor, n, head,
                       [&](double& value, std::int64_t at) { store(tensor.data, tensor.type, at, value); });
  }

  const ForwardArguments& arguments_;
  Sizes sizes_;
  const Variant& variant_;
  bool reads_key_, value_major_;
  std::array<FormulaRows, formula_slots.size()> rows_;
  // Of a token: a factor for each element that has one of its own.
  struct Decay {
    std::vector<double> factors;
    std::int64_t key_step = 0, value_step = 0;
    double at(std::int64_t i, std::int64_t j) const {
      return factors[static_cast<std::size_t>(i * key_step + j * value_step)];
    }
  } decay_;
  std::vector<double> q_, k_, v_, o_, erased_, state_;
  double scale_ = 1;
};

}  // namespace

void oracle_forward(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments) {
  validate(variant);
  Recurrence recurrence(variant, options, arguments);
  std::atomic<std::int64_t> next = 0;
  // Each thread works on a copy, which has its own state and rows; no result depends on how many there are.
  const auto work = [&](Recurrence own) {
    for (std::int64_t piece; (piece = next++) < recurrence.pieces();) own.run(piece);
  };
  std::vector<std::jthread> helpers;
  const std::int64_t cores = recurrence.operations() < worth_a_thread ? 1 : std::thread::hardware_concurrency();
  for (std::int64_t i = 1; i < std::min(cores, recurrence.pieces()); ++i) helpers.emplace_back(work, recurrence);
  work(recurrence);
}

}  // namespace rankone
