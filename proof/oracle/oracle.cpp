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
      : arguments_(arguments), sizes_(recurrence::bind(variant, options, arguments)),
        decays_by_key_(variant.decays_by_key()), reads_key_(reads_key(variant)),
        value_major_(options.value_major_state) {
    for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
      rows_of(slot.formula) = FormulaRows(slot, formula, sizes_.key_dim, arguments);
    });
    const auto row = [](std::int64_t size) { return std::vector<double>(static_cast<std::size_t>(size)); };
    q_ = row(sizes_.key_dim), k_ = row(sizes_.key_dim), decay_ = row(sizes_.key_dim);
    v_ = row(sizes_.value_dim), o_ = row(sizes_.value_dim);
    state_ = row(sizes_.key_dim * sizes_.value_dim);
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
    for (place.token = span.begin; place.token < span.end; ++place.token) {
      place.position = span.position + place.token - span.begin;
      step(place);
    }
    store_state(n, head);
  }

  void step(Place place) {
    set_decay(place);
    const double* key = written_key(place);
    FormulaRows& write_scale = rows_of(Formula::write_scale);
    const double write = write_scale.given() ? *write_scale(place) : 1;
    load_token(arguments_.v, place, place.head, v_);
    for (std::int64_t i = 0; i < sizes_.key_dim; ++i) {
      const double decay = decay_[static_cast<std::size_t>(i)], coefficient = write * key[i];
      double* row = state_.data() + i * sizes_.value_dim;
      for (std::int64_t j = 0; j < sizes_.value_dim; ++j)
        row[j] = decay * row[j] + coefficient * v_[static_cast<std::size_t>(j)];
    }
    if (arguments_.o) read(place);
  }

  void set_decay(const Place& place) {
    if (!rows_of(Formula::decay).given()) return void(decay_.assign(decay_.size(), 1));
    const double* log_decay = rows_of(Formula::decay)(place);
    for (std::size_t i = 0; i < decay_.size(); ++i)
      decay_[i] = i == 0 || decays_by_key_ ? std::exp(log_decay[i]) : decay_[0];
  }

  const double* written_key(Place place) {
    if (reads_key_) {
      load_token(arguments_.k, place, place.key_head, k_);
      map_features(place, k_);
    }
    FormulaRows& key = rows_of(Formula::key);
    if (!key.given()) return k_.data();
    place.key = k_.data(), place.decay = decay_.data();
    return key(place);
  }

  void read(const Place& place) {
    load_token(arguments_.q, place, place.key_head, q_);
    map_features(place, q_);
    o_.assign(o_.size(), 0);
    for (std::int64_t i = 0; i < sizes_.key_dim; ++i) {
      const double query = q_[static_cast<std::size_t>(i)];
      const double* row = state_.data() + i * sizes_.value_dim;
      for (std::int64_t j = 0; j < sizes_.value_dim; ++j) o_[static_cast<std::size_t>(j)] += query * row[j];
    }
    const Tensor& o = arguments_.o;
    const std::int64_t offset = place.batch * o.strides[0] + place.token * o.strides[1] + place.head * o.strides[2];
    for (std::int64_t j = 0; j < sizes_.value_dim; ++j)
      store(o.data, o.type, offset + j * o.strides[3], scale_ * o_[static_cast<std::size_t>(j)]);
  }

  static void load_token(const Tensor& tensor, const Place& place, std::int64_t head, std::vector<double>& row) {
    const std::int64_t offset =
        place.batch * tensor.strides[0] + place.token * tensor.strides[1] + head * tensor.strides[2];
    recurrence::load_row(tensor, offset, tensor.strides[3], static_cast<std::int64_t>(row.size()), row.data());
  }
  void map_features(Place place, std::vector<double>& row) {
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
  bool decays_by_key_, reads_key_, value_major_;
  std::array<FormulaRows, formula_slots.size()> rows_;
  std::vector<double> q_, k_, v_, o_, decay_, state_;
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
