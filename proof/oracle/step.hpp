// SPDX-License-Identifier: MIT
// One token of the recurrence: its formulas evaluated, and what it does to a state.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <rankone/dsl/variant.hpp>

#include "proof/oracle/bind.hpp"
#include "proof/oracle/features.hpp"
#include "proof/oracle/formula_rows.hpp"
#include "runtime/given_arguments.hpp"

namespace rankone::recurrence {

using Row = std::vector<double>;  // of keys or of value columns; of both where it is a state, row-major

// The tensor of this name among a call's; absent where it is not given.
Tensor tensor_of(const GivenArguments& given, std::string_view name);

class Step {
 public:
  // Refers to what the arguments do.
  Step(const Variant& variant, const Sizes& sizes, const GivenArguments& given);

  // All formulas but that of the output; those of the query where it is read. `before`: the state before the token, of which
  // formulas read what a scan has summed up.
  void evaluate(const Place& at, bool reads_query, const Row& before);
  // Of a non-causal variant: those of a key, and those of a query.
  void evaluate_key(const Place& at);
  void evaluate_query(const Place& at);
  // Beside a write_log_scale: what the token's decay and write scale are in the units of the state before it.
  void set_units(const Row& before);
  // A state takes what the token before wrote once more, before it decays.
  void write_again(Row& state) const;
  // A state decays, and turns by the token's phase; and the same of slopes, from behind it to before it.
  void fade(Row& state) const;
  void fade_back(Row& slopes) const;
  // The token's turn, as Variant says it. Leaves in `erased`, or `erased_keys`, what was read of it to be erased.
  void advance(Row& state);
  // What the query reads, times the scale. Of the state before the token or behind it, as the variant has it.
  void read(const Row& state, Row& result) const;
  // The same without what a bonus adds: of a walk in which others have the token's own write.
  void read_others(const Row& state, Row& result) const;
  const double* output(const Row& read);  // valid until the next one

  bool decays() const { return place.is_first_step; }
  // Whether the query reads the state before this step or behind it.
  bool is_read() const { return variant.reads_before() ? place.is_first_step : place.is_last_step; }
  double decay(std::int64_t i, std::int64_t j) const { return decays() ? factors[place_of_decay(i, j)] : 1; }
  // Where the decay of an element stands among as many as have one of their own.
  std::size_t place_of_decay(std::int64_t i, std::int64_t j) const {
    return static_cast<std::size_t>(i * key_step_ + j * value_step_);
  }
  // f(i, j, where in a state the element stands)
  template <class Function> void each_element(const Function& f) const {
    std::size_t at = 0;
    for (std::int64_t i = 0; i < sizes.features; ++i)
      for (std::int64_t j = 0; j < columns; ++j) f(static_cast<std::size_t>(i), static_cast<std::size_t>(j), at++);
  }
  // What a row of keys reads of a state.
  void project(const double* keys, const Row& state, Row& sums) const;
  // And what a row of value columns does.
  void project_values(const double* values, const Row& state, Row& sums) const;
  // The real part, of a complex state the imaginary part behind it, a row of keys, what a scan has summed up, the key and value
  // of the last token if they are written again, and m, of whose exponential the elements are multiples; without a running
  // maximum it is 0.
  std::size_t elements() const { return static_cast<std::size_t>(sizes.features * columns); }
  std::size_t scan_place() const { return (variant.is_complex() ? 2 : 1) * elements(); }
  // Of a chain's first pass it is of its columns.
  std::size_t scan_width() const {
    return static_cast<std::size_t>(variant.stage_ == Stage::first ? sizes.value_dim : sizes.features);
  }
  std::size_t last_key_place() const { return scan_place() + scan_width(); }
  std::size_t last_value_place() const { return last_key_place() + static_cast<std::size_t>(sizes.features); }
  // Of a column of the state; of that of ones, too.
  double last_value(const Row& state, std::size_t column) const {
    return column < v.size() ? state[last_value_place() + column] : 1;
  }
  Row state() const { return Row((variant.writes_again() ? last_value_place() + v.size() : last_key_place()) + 1); }

  const Variant& variant;
  Sizes sizes;
  std::int64_t columns;  // of a state: those of values, and behind them the normaliser's, whose values are ones
  double scale = 1;
  Place place{};            // with the rows that leaves stand for
  Row q, k, v;              // as formulas read them: q and k behind the feature map
  Row raw_q, raw_k;         // before it, K elements
  Row scanned, scan_terms;  // behind the token, and what it adds
  Row factors{1};           // decays, one for each element that has one of its own
  Row phases{0};            // one for all keys, or for each
  Row erased, erased_keys;  // by a key, a number for each column; by a value, one for each key
  // Where there is no formula, what stands for it.
  const double *query = nullptr, *key = nullptr, *value = nullptr, *bonus = nullptr, *erase_read = nullptr,
               *erase_write = nullptr, *value_erase_read = nullptr, *value_erase_write = nullptr;
  double write = 1, erase = 1, value_erase = 1, lagged = 0;
  double unit_write = 1;  // that part of `write` which is the exponential of a logarithm

 private:
  FormulaRows& rows_of(Formula formula) { return rows_[static_cast<std::size_t>(formula)]; }
  const double* row_or(Formula which, const double* otherwise);
  double number_or(Formula which, double otherwise);
  void set_scan();
  void set_decay();
  void set_phase();
  // Both parts of each row by so many times its phase.
  void turn(Row& state, double times) const;
  void read_erased(const Row& state);
  void erase_from(Row& state) const;
  void load_query();
  void load_features(const Tensor& tensor, std::int64_t token, Row& raw, Row& mapped);

  Tensor q_, k_, v_;
  std::array<FormulaRows, formula_slots.size()> rows_;  // the feature map's apart
  Features features_;
  Row value_and_one_, scanned_before_;
  const double* scan_before_ = nullptr;  // of the state before the token
  double log_decay_ = 0, log_write_ = 0, own_write_ = 1, max_ = 0;
  std::int64_t key_step_ = 0, value_step_ = 0;
  bool reads_query_, reads_key_;
};

// What a variant carries from token to token, in the tensors of a call.
struct StateTensors {
  Tensor state{}, sum{}, max{};  // sum: the normaliser's; max: of write scales' logarithms, in whose units both are
  Tensor imaginary{};            // part of a complex state
  Tensor scan{};
  Tensor key{}, value{};  // of the last token
};
// Those whose names have this prefix: "initial_" of "initial_state" and "initial_state_sum".
StateTensors state_tensors(const GivenArguments& given, const std::string& prefix);

// f(index in a state, offset in the tensor) for the states of one sequence and head.
template <class Function>
void each_state_element(const Tensor& tensor, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                        const Function& f) {
  const Sizes& sizes = step.sizes;
  const std::int64_t key_stride = tensor.strides[value_major ? 3 : 2],
                     value_stride = tensor.strides[value_major ? 2 : 3];
  for (std::int64_t i = 0; i < sizes.features; ++i)
    for (std::int64_t j = 0; j < sizes.value_dim; ++j)
      f(static_cast<std::size_t>(i * step.columns + j),
        n * tensor.strides[0] + head * tensor.strides[1] + i * key_stride + j * value_stride);
}
// Of the normaliser's column.
template <class Function>
void each_sum_element(const Tensor& tensor, const Step& step, std::int64_t n, std::int64_t head, const Function& f) {
  for (std::int64_t i = 0; i < step.sizes.features; ++i)
    f(static_cast<std::size_t>((i + 1) * step.columns - 1),
      n * tensor.strides[0] + head * tensor.strides[1] + i * tensor.strides[2]);
}
// Of a row that is carried beside a state: f(index in the state, where it stands from `first` on, offset in the tensor)
template <class Function>
void each_row_element(const Tensor& tensor, std::size_t first, std::int64_t n, std::int64_t head, const Function& f) {
  for (std::int64_t i = 0; i < tensor.shape[2]; ++i)
    f(first + static_cast<std::size_t>(i), n * tensor.strides[0] + head * tensor.strides[1] + i * tensor.strides[2]);
}
// Where there is no tensor, what nothing has been: zeros, and minus infinity of exponentials.
void load_state(const StateTensors& tensors, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                Row& state);
// The same of slopes: zeros.
void load_slopes(const StateTensors& tensors, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                 Row& slopes);
void store_state(const StateTensors& tensors, bool value_major, const Step& step, std::int64_t n, std::int64_t head,
                 const Row& state);

// What a bidirectional variant's queries read in both of its walks over a sequence, a row of value columns for each token; the
// states are where each walk begins, and become those where it ends. Without `reads` there are no queries, and rows hold nothing.
std::vector<Row> read_both_ways(Step& step, const Span& span, std::int64_t head, Row& upward, Row& downward,
                                bool reads = true);

// Of a head's walk over a sequence, the `i`-th step of its tokens.
Place place_of_step(const Variant& variant, const Sizes& sizes, const Span& span, std::int64_t head, std::int64_t i);

}  // namespace rankone::recurrence
