// SPDX-License-Identifier: MIT
// One token of the recurrence: its formulas evaluated, and what it does to a state.
#include "proof/oracle/step.hpp"

#include <algorithm>
#include <cmath>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/scale.hpp>

#include "proof/log_sum_exp.hpp"
#include "runtime/convert.hpp"

namespace rankone::recurrence {
namespace {

void load_token(const Tensor& tensor, std::int64_t batch, std::int64_t token, std::int64_t head, Row& row) {
  const std::int64_t offset = batch * tensor.strides[0] + token * tensor.strides[1] + head * tensor.strides[2];
  load_row(tensor, offset, tensor.strides[3], static_cast<std::int64_t>(row.size()), row.data());
}

void load_given(const StateTensors& tensors, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                Row& state) {
  const auto load_from = [&](const Tensor& tensor, std::size_t first = 0) {
    return
        [&, first](std::size_t at, std::int64_t offset) { state[first + at] = load(tensor.data, tensor.type, offset); };
  };
  const auto& [whole, sum, max, imaginary, scan, key, value] = tensors;
  if (scan) each_row_element(scan, step.scan_place(), n, head, load_from(scan));
  if (key) each_row_element(key, step.last_key_place(), n, head, load_from(key));
  if (value) each_row_element(value, step.last_value_place(), n, head, load_from(value));
  if (max) load_from(max)(state.size() - 1, n * max.strides[0] + head * max.strides[1]);
  if (whole) each_state_element(whole, value_major, step, n, head, load_from(whole));
  if (imaginary) each_state_element(imaginary, value_major, step, n, head, load_from(imaginary, step.elements()));
  if (sum) each_sum_element(sum, step, n, head, load_from(sum));
}

}  // namespace

Tensor tensor_of(const GivenArguments& given, std::string_view name) {
  const Tensor* const found = given.find(rankone::place_of(name), given.inputs, name);
  return found != nullptr ? *found : Tensor();
}

Step::Step(const Variant& of, const Sizes& with, const GivenArguments& given)
    : variant(of), sizes(with), columns(with.value_dim + (is_normalised(of) ? 1 : 0)), q_(tensor_of(given, "q")),
      k_(tensor_of(given, "k")), v_(tensor_of(given, "v")), features_(of, with.key_dim, given),
      reads_query_(reads_query(of)), reads_key_(reads_key(of)) {
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    if (slot.formula != Formula::feature_map)
      rows_of(slot.formula) = FormulaRows(slot, formula, sizes.features, sizes.value_dim, given);
  });
  raw_q = raw_k = Row(static_cast<std::size_t>(sizes.key_dim));
  q = k = Row(static_cast<std::size_t>(sizes.features));
  v = Row(static_cast<std::size_t>(sizes.value_dim));
  erased = Row(static_cast<std::size_t>(columns));
  erased_keys = Row(static_cast<std::size_t>(sizes.features));
  scanned_before_ = Row(scan_width());
  value_and_one_ = Row(erased.size(), 1);
  key_step_ = variant.decays_by_key() ? (variant.decays_by_value() ? sizes.value_dim : 1) : 0;
  value_step_ = variant.decays_by_value() ? 1 : 0;
  scale = scale_of(variant, sizes.key_dim, given.scale);
}

void Step::evaluate(const Place& at, bool reads_query, const Row& before) {
  scan_before_ = before.data() + scan_place();
  evaluate_key(at);
  if (reads_query) load_query();
}
void Step::evaluate_query(const Place& at) {
  place = at;
  load_query();
}

void Step::evaluate_key(const Place& at) {
  place = at;
  if (reads_key_) load_features(k_, place.step, raw_k, k), place.key = k.data();
  if (has_scan(variant)) set_scan();
  set_decay();
  set_phase();
  if (reads_value(variant)) load_token(v_, place.batch, place.step, place.head, v);
  place.value = v.data();
  place.decay = factors.data();
  key = row_or(Formula::key, place.key);
  std::copy_n(row_or(Formula::value, place.value), v.size(), value_and_one_.begin());
  value = value_and_one_.data();
  write = own_write_ = number_or(Formula::write_scale, 1);
  log_write_ = number_or(Formula::write_log_scale, 0);
  lagged = number_or(Formula::write_lagged, 0);
  if (variant.has(Formula::erase)) {
    erase = number_or(Formula::erase, 1);
    erase_read = row_or(Formula::erase_read, key);
    erase_write = row_or(Formula::erase_write, key);
  }
  if (variant.has(Formula::value_erase)) {
    value_erase = number_or(Formula::value_erase, 1);
    value_erase_read = row_or(Formula::value_erase_read, value);
    value_erase_write = row_or(Formula::value_erase_write, value);
  }
}

void Step::load_query() {
  if (reads_query_) load_features(q_, place.token, raw_q, q);
  place.query = q.data();
  query = row_or(Formula::query, place.query);
  bonus = row_or(Formula::bonus, nullptr);
}

// Where nothing has been written there are no units: the state is zero.
void Step::set_units(const Row& before) {
  if (!has_running_max(variant)) return;
  constexpr double smallest_unit = 1e-300;  // nothing is divided by 0, nor multiplied with infinity
  const double decayed = log_decay_ + before.back();
  max_ = std::isnan(log_write_) ? log_write_ : std::max(decayed, log_write_);
  const bool is_nothing = max_ == -math::infinity;
  factors = {is_nothing ? 0 : std::exp(decayed - max_)};
  unit_write = is_nothing ? 0 : std::exp(log_write_ - max_);
  write = own_write_ * unit_write;
  place.unit = std::clamp(std::exp(-max_), smallest_unit, 1 / smallest_unit);
}

void Step::read_erased(const Row& state) {
  if (variant.has(Formula::erase)) project(erase_read, state, erased);
  if (variant.has(Formula::value_erase)) project_values(value_erase_read, state, erased_keys);
}
void Step::erase_from(Row& state) const {
  const bool by_value = variant.has(Formula::value_erase);
  each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    state[at] -= by_value ? erased_keys[i] * value_erase * value_erase_write[j] : erase * erase_write[i] * erased[j];
  });
}

// The state decays, and what the key or the value held is taken from it; then the token is written.
void Step::advance(Row& state) {
  set_units(state);
  state.back() = max_;
  if (has_scan(variant)) std::ranges::copy(scanned, state.begin() + static_cast<std::ptrdiff_t>(scan_place()));
  const bool erases = variant.erases();
  if (erases) {
    if (variant.erases_undecayed_) read_erased(state);
    fade(state);
    if (!variant.erases_undecayed_) read_erased(state);
    erase_from(state);
  } else {
    write_again(state);
    fade(state);
  }
  each_element([&](std::size_t i, std::size_t j, std::size_t at) { state[at] += write * key[i] * value[j]; });
  if (!variant.writes_again()) return;
  std::copy_n(key, q.size(), state.begin() + static_cast<std::ptrdiff_t>(last_key_place()));
  std::copy_n(value, v.size(), state.begin() + static_cast<std::ptrdiff_t>(last_value_place()));
}

void Step::write_again(Row& state) const {
  if (!variant.writes_again()) return;
  each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    state[at] += lagged * state[last_key_place() + i] * last_value(state, j);
  });
}

void Step::fade(Row& state) const {
  if (!decays()) return;
  each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    const double factor = decay(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
    state[at] *= factor;
    if (variant.is_complex()) state[elements() + at] *= factor;
  });
  turn(state, 1);
}
void Step::fade_back(Row& slopes) const {
  if (!decays()) return;
  turn(slopes, -1);
  each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    const double factor = decay(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
    slopes[at] *= factor;
    if (variant.is_complex()) slopes[elements() + at] *= factor;
  });
}
void Step::turn(Row& state, double times) const {
  if (!variant.is_complex()) return;
  each_element([&](std::size_t i, std::size_t, std::size_t at) {
    const double angle = times * phases[phases.size() > 1 ? i : 0];
    double &real = state[at], &imaginary = state[elements() + at];
    const double turned = std::cos(angle) * real - std::sin(angle) * imaginary;
    imaginary = std::sin(angle) * real + std::cos(angle) * imaginary;
    real = turned;
  });
}

void Step::read(const Row& state, Row& result) const {
  project(query, state, result);
  if (bonus != nullptr) {
    double own = 0;
    for (std::size_t i = 0; i < q.size(); ++i) own += query[i] * bonus[i] * key[i];
    for (std::size_t j = 0; j < result.size(); ++j) result[j] += own * write * value[j];
  }
  for (double& element : result) element *= scale;
}

void Step::read_others(const Row& state, Row& result) const {
  project(query, state, result);
  for (double& element : result) element *= scale;
}

const double* Step::output(const Row& read) {
  place.read = read.data();
  place.normaliser = read.data() + v.size();
  return row_or(Formula::output, place.read);
}

void Step::project(const double* keys, const Row& state, Row& sums) const {
  std::fill(sums.begin(), sums.end(), 0.0);
  each_element([&](std::size_t i, std::size_t j, std::size_t at) { sums[j] += keys[i] * state[at]; });
}

void Step::project_values(const double* values, const Row& state, Row& sums) const {
  std::fill(sums.begin(), sums.end(), 0.0);
  each_element([&](std::size_t i, std::size_t j, std::size_t at) { sums[i] += values[j] * state[at]; });
}

void Step::set_scan() {
  const double* const terms = rows_of(Formula::scan)(place);
  scan_terms.assign(terms, terms + scan_width());
  scanned.assign(scan_before_, scan_before_ + scan_width());
  for (std::size_t i = 0; i < scanned.size(); ++i)
    scanned[i] = variant.scans_exponentials_ ? log_sum_exp(scanned[i], terms[i]) : scanned[i] + terms[i];
  scanned_before_.assign(scan_before_, scan_before_ + scan_width());
  place.scanned = scanned.data(), place.scanned_before = scanned_before_.data();
}

void Step::set_decay() {
  FormulaRows& rows = rows_of(Formula::decay);
  if (!rows.given()) return;
  const double* log_decay = rows(place);
  factors.resize(static_cast<std::size_t>(rows.width()));
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = std::exp(log_decay[i]);
  log_decay_ = *log_decay;
}
void Step::set_phase() {
  FormulaRows& rows = rows_of(Formula::phase);
  if (!rows.given()) return;
  const double* const angles = rows(place);
  phases.assign(angles, angles + rows.width());
}
// Valid until the formula's next row.
const double* Step::row_or(Formula which, const double* otherwise) {
  FormulaRows& rows = rows_of(which);
  return rows.given() ? rows(place) : otherwise;
}
double Step::number_or(Formula which, double otherwise) {
  FormulaRows& rows = rows_of(which);
  return rows.given() ? *rows(place) : otherwise;
}

// Of q or k, behind the feature map.
void Step::load_features(const Tensor& tensor, std::int64_t token, Row& raw, Row& mapped) {
  load_token(tensor, place.batch, token, place.key_head, raw);
  if (!features_.given()) {
    mapped = raw;
    return;
  }
  Place at = place;
  at.element = raw.data();
  features_(at, mapped.data());
}

StateTensors state_tensors(const GivenArguments& given, const std::string& prefix) {
  return {tensor_of(given, prefix + "state"),      tensor_of(given, prefix + "state_sum"),
          tensor_of(given, prefix + "state_max"),  tensor_of(given, prefix + "state_imaginary"),
          tensor_of(given, prefix + "state_scan"), tensor_of(given, prefix + "state_key"),
          tensor_of(given, prefix + "state_value")};
}

void load_slopes(const StateTensors& tensors, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                 Row& slopes) {
  std::fill(slopes.begin(), slopes.end(), 0.0);
  load_given(tensors, value_major, step, n, head, slopes);
}
void load_state(const StateTensors& tensors, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                Row& state) {
  std::fill(state.begin(), state.end(), 0.0);
  if (has_running_max(step.variant)) state.back() = -math::infinity;
  if (step.variant.scans_exponentials_)
    std::fill_n(state.begin() + static_cast<std::ptrdiff_t>(step.scan_place()), step.scan_width(), -math::infinity);
  load_given(tensors, value_major, step, n, head, state);
}
void store_state(const StateTensors& tensors, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                 const Row& state) {
  const auto store_to = [&](const Tensor& tensor, std::size_t first = 0) {
    return
        [&, first](std::size_t at, std::int64_t offset) { store(tensor.data, tensor.type, offset, state[first + at]); };
  };
  const auto& [whole, sum, max, imaginary, scan, key, value] = tensors;
  if (scan) each_row_element(scan, step.scan_place(), n, head, store_to(scan));
  if (key) each_row_element(key, step.last_key_place(), n, head, store_to(key));
  if (value) each_row_element(value, step.last_value_place(), n, head, store_to(value));
  if (max) store_to(max)(state.size() - 1, n * max.strides[0] + head * max.strides[1]);
  if (whole) each_state_element(whole, value_major, step, n, head, store_to(whole));
  if (imaginary) each_state_element(imaginary, value_major, step, n, head, store_to(imaginary, step.elements()));
  if (sum) each_sum_element(sum, step, n, head, store_to(sum));
}

std::vector<Row> read_both_ways(Step& step, const Span& span, std::int64_t head, Row& upward, Row& downward,
                                bool reads) {
  const std::int64_t tokens = span.end - span.begin;
  const bool before = step.variant.reads_before();
  std::vector<Row> rows(static_cast<std::size_t>(tokens), Row(step.v.size()));
  const auto enter = [&](std::int64_t i) {
    step.evaluate(place_of_step(step.variant, step.sizes, span, head, i), reads, upward);  // it has no scan
  };
  for (std::int64_t i = 0; i < tokens; ++i) {
    enter(i);
    Row& row = rows[static_cast<std::size_t>(i)];
    if (reads && before) step.read(upward, row);
    step.advance(upward);
    if (reads && !before) step.read(upward, row);
  }
  Row more(step.v.size());
  for (std::int64_t i = tokens - 1; i >= 0; --i) {
    enter(i);
    if (reads) step.read_others(downward, more);
    for (std::size_t j = 0; j < more.size(); ++j) rows[static_cast<std::size_t>(i)][j] += more[j];
    step.advance(downward);
  }
  return rows;
}

Place place_of_step(const Variant& variant, const Sizes& sizes, const Span& span, std::int64_t head, std::int64_t i) {
  const std::int64_t steps = variant.steps_, index = i / steps, step = i % steps,
                     place = variant.reversed_ ? span.end - 1 - index : span.begin + index,
                     token = sizes.order.empty() ? place : sizes.order[static_cast<std::size_t>(place)];
  return {.batch = span.batch,
          .token = token,
          .step = token * steps + step,
          .is_first_step = step == 0,
          .is_last_step = step + 1 == steps,
          .position = span.position + place - span.begin,
          .head = head,
          .key_head = head / (sizes.value_heads / sizes.heads),
          .heads = sizes.value_heads,
          .keys = sizes.key_dim};
}

}  // namespace rankone::recurrence
