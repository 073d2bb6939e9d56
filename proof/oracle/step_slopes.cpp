// SPDX-License-Identifier: MIT
// One token of the recurrence in reverse.
#include "proof/oracle/step_slopes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/leaves.hpp>

namespace rankone::recurrence {
namespace {

void clear(Row& row) { std::fill(row.begin(), row.end(), 0.0); }

void add_row(const Tensor& gradient, std::int64_t batch, std::int64_t token, std::int64_t head, const Row& row) {
  const std::int64_t offset = batch * gradient.strides[0] + token * gradient.strides[1] + head * gradient.strides[2];
  double* const to = static_cast<double*>(gradient.data) + offset;
  for (std::size_t i = 0; i < row.size(); ++i) to[i] += row[i];
}

}  // namespace

StepSlopes::StepSlopes(const Step& step, const GivenArguments& given, std::span<const NamedTensor> gradients)
    : features_(step.variant, step.sizes.key_dim, given), reads_query_(reads_query(step.variant)),
      reads_key_(reads_key(step.variant)) {
  for_each_formula(step.variant, [&](const Slot& slot, const Expression& formula) {
    if (slot.formula == Formula::feature_map) return;
    slopes_of(slot.formula) = FormulaSlopes(slot, formula, step.sizes.features, step.sizes.value_dim, given, gradients);
  });
  if (reads_value(step.variant)) dv_ = *find(gradients, "v");
  if (reads_query_) dq_ = *find(gradients, "q");
  if (reads_key_) dk_ = *find(gradients, "k");
  query_ = key_ = bonus_ = erase_read_ = erase_write_ = erased_keys_ = q_ = k_ = Row(step.q.size());
  v_ = normaliser_ = value_erase_read_ = value_erase_write_ = Row(step.v.size());
  value_ = erased_ = read_ = result_ = Row(static_cast<std::size_t>(step.columns));
  decayed_ = behind_ = step.state();
  scanned_ = scanned_before_ = Row(step.scan_width());
}

void StepSlopes::clear_sums(const Step& step) {
  for (Row* row : {&query_, &key_, &value_, &bonus_, &erase_read_, &erase_write_, &erased_, &value_erase_read_,
                   &value_erase_write_, &erased_keys_, &q_, &k_, &v_, &scanned_, &scanned_before_})
    clear(*row);
  log_decay_.assign(step.factors.size(), 0);
  factors_.assign(step.factors.size(), 0);
  phase_.assign(step.phases.size(), 0);
  write_ = erase_ = value_erase_ = lagged_ = 0;
}

// What the token has done to the state before it.
void StepSlopes::enter(Step& step, const Row& before) {
  clear_sums(step);
  decayed_ = behind_ = before;
  step.set_units(before);
  step.write_again(decayed_);
  step.fade(decayed_);
  step.advance(behind_);
}

void StepSlopes::go_back(Step& step, const Row& before, const double* output, Row& slopes) {
  enter(step, before);
  const bool reads_before = step.variant.reads_before();
  clear(read_);
  if (step.is_read()) read(step, reads_before ? before : behind_, output);
  pass_state(step, before, reads_before, slopes);
}

void StepSlopes::go_back_from_output(Step& step, const Row& read, const double* output, Row& read_slopes) {
  clear_sums(step);
  result_ = read;
  pass_output(step, output);
  read_slopes = read_;
  add_row(dv_, step.place.batch, step.place.step, step.place.head, v_);
}

void StepSlopes::go_back_one_way(Step& step, const Row& before, const Row& read_slopes, bool is_upward, Row& slopes) {
  enter(step, before);
  read_ = read_slopes;
  const bool reads_before = !is_upward || step.variant.reads_before();
  pass_read(step, reads_before ? before : behind_, is_upward && step.bonus != nullptr);
  pass_state(step, before, reads_before, slopes);
}

// From the slopes of the state behind a token to those of the state before it, and of what the token reads and writes.
void StepSlopes::pass_state(Step& step, const Row& before, bool reads_before, Row& slopes) {
  const bool erases = step.variant.erases(), undecayed = step.variant.erases_undecayed_;
  if (!reads_before) add_query(step, slopes);
  take_lagged(step, slopes);
  write(step, slopes);
  if (step.variant.has(Formula::erase)) erase(step, slopes);
  if (step.variant.has(Formula::value_erase)) erase_values(step, slopes);
  if (erases && !undecayed) add_erased(step, slopes);
  if (step.decays()) decay(step, decayed_, slopes);
  if (step.decays()) phase(step, decayed_, slopes);
  if (erases) pass_erase_read(step, undecayed ? before : decayed_);
  step.fade_back(slopes);
  write_again(step, before, slopes);
  if (erases && undecayed) add_erased(step, slopes);
  if (reads_before) add_query(step, slopes);
  pass_formulas(step);
  if (has_scan(step.variant)) pass_scan(step, slopes);
  add_to_tensors(step);
}

void StepSlopes::go_back_from_query(Step& step, const Row& state, const double* output, Row& slopes) {
  clear_sums(step);
  read(step, state, output);
  add_query(step, slopes);
  pass_formulas(step, {.query = true, .key = false});
  add_to_tensors(step, {.query = true, .key = false});
}
void StepSlopes::go_back_from_key(const Step& step, const Row& slopes) {
  clear_sums(step);
  write(step, slopes);
  pass_formulas(step, {.query = false, .key = true});
  add_to_tensors(step, {.query = false, .key = true});
}

// By what was read, and by all that read it. `state`: what it was read of.
void StepSlopes::read(Step& step, const Row& state, const double* output) {
  step.read(state, result_);
  pass_output(step, output);
  pass_read(step, state, step.bonus != nullptr);
}

// To the slopes of `result_`, what was read for the token's output.
void StepSlopes::pass_output(Step& step, const double* output) {
  step.output(result_);
  clear(read_);
  clear(normaliser_);
  if (slopes_of(Formula::output).given())
    add(step, Formula::output, output, {.value = v_.data(), .read = read_.data(), .normaliser = normaliser_.data()});
  else
    std::copy_n(output, read_.size(), read_.begin());
  if (read_.size() > v_.size()) read_.back() = std::accumulate(normaliser_.begin(), normaliser_.end(), 0.0);
  for (double& slope : read_) slope *= step.scale;
}

// `has_own`: a bonus was added to what was read of the state.
void StepSlopes::pass_read(const Step& step, const Row& state, bool has_own) {
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) { query_[i] += state[at] * read_[j]; });
  if (!has_own) return;
  double own = 0, through = 0;  // q.(bonus k), and what its slope is
  for (std::size_t i = 0; i < query_.size(); ++i) own += step.query[i] * step.bonus[i] * step.key[i];
  for (std::size_t j = 0; j < read_.size(); ++j) {
    through += read_[j] * step.write * step.value[j];
    write_ += own * read_[j] * step.value[j];
    value_[j] += own * read_[j] * step.write;
  }
  for (std::size_t i = 0; i < query_.size(); ++i) {
    query_[i] += step.bonus[i] * step.key[i] * through;
    bonus_[i] += step.query[i] * step.key[i] * through;
    key_[i] += step.query[i] * step.bonus[i] * through;
  }
}

void StepSlopes::add_query(const Step& step, Row& slopes) const {
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) { slopes[at] += step.query[i] * read_[j]; });
}

void StepSlopes::write(const Step& step, const Row& slopes) {
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    key_[i] += step.write * slopes[at] * step.value[j];
    value_[j] += step.write * step.key[i] * slopes[at];
    write_ += step.key[i] * slopes[at] * step.value[j];
  });
}

void StepSlopes::take_lagged(const Step& step, const Row& slopes) {
  if (!step.variant.writes_again()) return;
  for (std::size_t i = 0; i < key_.size(); ++i) key_[i] += slopes[step.last_key_place() + i];
  for (std::size_t j = 0; j < v_.size(); ++j) value_[j] += slopes[step.last_value_place() + j];
}

void StepSlopes::write_again(const Step& step, const Row& before, Row& slopes) {
  if (!step.variant.writes_again()) return;
  const std::size_t keys = step.last_key_place(), values = step.last_value_place();
  std::fill(slopes.begin() + static_cast<std::ptrdiff_t>(keys), slopes.end(), 0.0);
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    const double key = before[keys + i], value = step.last_value(before, j);
    lagged_ += slopes[at] * key * value;
    slopes[keys + i] += step.lagged * slopes[at] * value;
    if (j < v_.size()) slopes[values + j] += step.lagged * slopes[at] * key;
  });
}

void StepSlopes::erase(const Step& step, const Row& slopes) {
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    erase_write_[i] -= step.erase * slopes[at] * step.erased[j];
    erased_[j] -= step.erase * step.erase_write[i] * slopes[at];
    erase_ -= step.erase_write[i] * slopes[at] * step.erased[j];
  });
}

void StepSlopes::erase_values(const Step& step, const Row& slopes) {
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    value_erase_write_[j] -= step.value_erase * slopes[at] * step.erased_keys[i];
    erased_keys_[i] -= step.value_erase * step.value_erase_write[j] * slopes[at];
    value_erase_ -= step.value_erase_write[j] * slopes[at] * step.erased_keys[i];
  });
}

// By what was read to be erased, to the slopes of what it was read of, and of what read it.
void StepSlopes::add_erased(const Step& step, Row& slopes) const {
  const bool by_value = step.variant.has(Formula::value_erase);
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    slopes[at] += by_value ? erased_keys_[i] * step.value_erase_read[j] : step.erase_read[i] * erased_[j];
  });
}
void StepSlopes::pass_erase_read(const Step& step, const Row& read_of) {
  const bool by_value = step.variant.has(Formula::value_erase);
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    if (by_value)
      value_erase_read_[j] += erased_keys_[i] * read_of[at];
    else
      erase_read_[i] += read_of[at] * erased_[j];
  });
}

// By the logarithms of decays. `slopes`: by the decayed state.
void StepSlopes::decay(const Step& step, const Row& decayed, const Row& slopes) {
  step.each_element([&](std::size_t i, std::size_t j, std::size_t at) {
    double& sum = log_decay_[step.place_of_decay(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j))];
    sum += decayed[at] * slopes[at];
    const std::size_t imaginary = step.elements() + at;
    if (step.variant.is_complex()) sum += decayed[imaginary] * slopes[imaginary];
  });
}
// By phases: of an angle the real part loses what the imaginary part is, and that gains the real part.
void StepSlopes::phase(const Step& step, const Row& decayed, const Row& slopes) {
  if (!step.variant.is_complex()) return;
  step.each_element([&](std::size_t i, std::size_t, std::size_t at) {
    const std::size_t imaginary = step.elements() + at;
    phase_[phase_.size() > 1 ? i : 0] += decayed[at] * slopes[imaginary] - decayed[imaginary] * slopes[at];
  });
}

// From formulas to what they read. What stands where there is no formula takes its slopes itself.
void StepSlopes::pass_formulas(const Step& step, Sides sides) {
  const LeafRows of_scan{.scanned = scanned_.data(), .scanned_before = scanned_before_.data()},
      of_values{.value = v_.data(), .scanned = scanned_.data(), .scanned_before = scanned_before_.data()};
  LeafRows of_keys = of_scan;
  of_keys.query = q_.data(), of_keys.key = k_.data(), of_keys.decay = factors_.data();
  const auto pass = [&](Formula formula, const Row& slopes, Row& otherwise, const LeafRows& leaves) {
    if (slopes_of(formula).given()) return add(step, formula, slopes.data(), leaves);
    for (std::size_t i = 0; i < std::min(slopes.size(), otherwise.size()); ++i) otherwise[i] += slopes[i];
  };
  if (sides.key) pass(Formula::erase_read, erase_read_, key_, of_keys);
  if (sides.key) pass(Formula::erase_write, erase_write_, key_, of_keys);
  if (sides.key) pass(Formula::key, key_, k_, of_keys);
  if (sides.query) pass(Formula::query, query_, q_, of_keys);
  pass(Formula::value_erase_read, value_erase_read_, value_, of_values);
  pass(Formula::value_erase_write, value_erase_write_, value_, of_values);
  pass(Formula::value, value_, v_, of_values);
  add(step, Formula::bonus, bonus_.data(), of_scan);
  // The running maximum is a constant here: what an output reads has no unit, and a state's slope is that in its own.
  const double of_logarithm = write_ * step.write;
  add(step, Formula::write_log_scale, &of_logarithm, {});
  write_ *= step.unit_write;
  add(step, Formula::write_scale, &write_, {});
  add(step, Formula::erase, &erase_, {});
  add(step, Formula::value_erase, &value_erase_, {});
  add(step, Formula::write_lagged, &lagged_, {});
  for (std::size_t i = 0; i < factors_.size(); ++i) log_decay_[i] += factors_[i] * step.factors[i];
  add(step, Formula::decay, log_decay_.data(), of_scan);
  add(step, Formula::phase, phase_.data(), {});
}

// From the slopes of what has been summed up behind a token, among those of the state, to those of its term and of what has
// been before it.
void StepSlopes::pass_scan(const Step& step, Row& slopes) {
  Row terms(scanned_.size());
  for (std::size_t i = 0; i < terms.size(); ++i) {
    double& carried = slopes[step.scan_place() + i];
    const double behind = step.scanned[i], slope = carried + scanned_[i];
    const auto share = [&](double part) {
      if (!step.variant.scans_exponentials_) return 1.0;
      return behind == -math::infinity ? 0.0 : std::exp(part - behind);
    };
    terms[i] = slope * share(step.scan_terms[i]);
    carried = slope * share(step.place.scanned_before[i]) + scanned_before_[i];
  }
  add(step, Formula::scan, terms.data(), {.key = k_.data()});
}

void StepSlopes::add_to_tensors(const Step& step, Sides sides) {
  const Place& place = step.place;
  const auto add_features = [&](const Tensor& gradient, std::int64_t token, const Row& raw, const Row& slopes) {
    if (!features_.given()) return add_row(gradient, place.batch, token, place.key_head, slopes);
    Row elements(raw.size());
    Place at = place;
    at.element = raw.data();
    features_.add(at, slopes.data(), elements.data());
    add_row(gradient, place.batch, token, place.key_head, elements);
  };
  if (sides.query && reads_query_) add_features(dq_, place.token, step.raw_q, q_);
  if (sides.key && reads_key_) add_features(dk_, place.step, step.raw_k, k_);
  if (sides.key && dv_) add_row(dv_, place.batch, place.step, place.head, v_);
}

void StepSlopes::add(const Step& step, Formula formula, const double* slopes, const LeafRows& rows) {
  if (FormulaSlopes& given = slopes_of(formula); given.given()) given.add(step.place, slopes, rows);
}

}  // namespace rankone::recurrence
