// SPDX-License-Identifier: MIT
// The recurrence in reverse, in float64.
#include "proof/oracle/gradients.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/validate.hpp>
#include <rankone/oracle.hpp>

#include "codegen/chain.hpp"
#include "codegen/ports.hpp"
#include "proof/memory.hpp"
#include "proof/oracle/bind.hpp"
#include "proof/oracle/chain.hpp"
#include "proof/oracle/pieces.hpp"
#include "proof/oracle/step_slopes.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

using recurrence::Row;
using recurrence::Sizes;
using recurrence::Span;
using recurrence::StateTensors;
using recurrence::Step;
using recurrence::StepSlopes;

// Sums in float64, by the names of the tensors whose gradients they are.
class Sums {
 public:
  void add(const std::string& name, std::vector<std::int64_t> shape) {
    OracleTensor& tensor = tensors_.emplace_back();
    tensor.shape = std::move(shape);
    tensor.values.resize(static_cast<std::size_t>(Tensor(nullptr, dtype::f64, tensor.shape).elements()));
    views_.push_back({name, tensor.view()});
  }
  void add(const NamedTensor& shared) { views_.push_back(shared); }
  // To the sum of this name.
  void add_to(std::string_view name, const Tensor& part) {
    const Tensor& sum = *recurrence::find(views_, name);
    for (std::int64_t at = 0; at < sum.elements(); ++at)
      static_cast<double*>(sum.data)[at] += static_cast<const double*>(part.data)[at];
  }
  const std::vector<NamedTensor>& views() const { return views_; }

 private:
  std::deque<OracleTensor> tensors_;
  std::vector<NamedTensor> views_;
};

// Those of a key head: of parameters its own, which are added up in the order of heads, else those of the call.
class HeadWalk {
 public:
  HeadWalk(const Variant& variant, const CompileOptions& options, const BackwardArguments& arguments,
           const Sizes& sizes, const std::vector<NamedTensor>& gradients)
      : arguments_(arguments), sizes_(sizes), value_major_(options.value_major_state), given_(arguments),
        step_(variant, sizes, given_), reverse_(step_, given_, gradients), state_(step_.state()),
        slopes_(step_.state()), output_(static_cast<std::size_t>(sizes.value_dim)),
        initial_(recurrence::state_tensors(given_, "initial_")), end_(recurrence::state_tensors(given_, "dfinal_")) {
    before_.state = *recurrence::find(gradients, "initial_state");
    if (const Tensor* const sum = recurrence::find(gradients, "initial_state_sum")) before_.sum = *sum;
    if (const Tensor* const part = recurrence::find(gradients, "initial_state_imaginary")) before_.imaginary = *part;
    if (const Tensor* const scan = recurrence::find(gradients, "initial_state_scan")) before_.scan = *scan;
    if (const Tensor* const key = recurrence::find(gradients, "initial_state_key")) before_.key = *key;
    if (const Tensor* const value = recurrence::find(gradients, "initial_state_value")) before_.value = *value;
    if (variant.bidirectional_) other_before_.state = *recurrence::find(gradients, "initial_state_reversed");
  }

  void run(std::int64_t key_head) {
    const std::int64_t group = sizes_.value_heads / sizes_.heads;
    for (std::int64_t head = key_head * group; head < (key_head + 1) * group; ++head)
      for (std::size_t n = 0; n < sizes_.sequences.size(); ++n) run(static_cast<std::int64_t>(n), head);
  }

 private:
  void run(std::int64_t n, std::int64_t head) {
    if (step_.variant.non_causal_) return run_non_causal(n, head);
    if (step_.variant.bidirectional_) return run_both_ways(n, head);
    const Span& span = sizes_.sequences[static_cast<std::size_t>(n)];
    load_state(initial_, value_major_, step_, n, head, state_);
    load_slopes(end_, value_major_, step_, n, head, slopes_);
    walk_back((span.end - span.begin) * sizes_.steps,
              [&](std::int64_t i, const Row& before) { evaluate(span, head, i, before); },
              [&](std::int64_t, const Row& before) {
                load_output_slope();
                reverse_.go_back(step_, before, output_.data(), slopes_);
              });
    store_state(before_, value_major_, step_, n, head, slopes_);
  }

  // From `state_`, through the steps that `enter(i, the state before)` evaluates, and back with
  // `leave(i, the state before)`. Of about the root of their number many steps the states are kept, and of each of them
  // the one before.
  template <class Enter, class Leave> void walk_back(std::int64_t steps, const Enter& enter, const Leave& leave) {
    const std::int64_t run = std::max<std::int64_t>(std::llround(std::sqrt(static_cast<double>(steps))), 1);
    std::vector<Row> starts;
    for (std::int64_t i = 0; i < steps; ++i) {
      if (i % run == 0) starts.push_back(state_);
      enter(i, state_);
      step_.advance(state_);
    }
    for (std::int64_t first = (steps - 1) / run * run; !starts.empty(); first -= run, starts.pop_back()) {
      std::vector<Row> before{std::move(starts.back())};
      const std::int64_t end = std::min(first + run, steps);
      for (std::int64_t i = first; i + 1 < end; ++i) {
        enter(i, before.back());
        step_.advance(before.emplace_back(Row(before.back())));
      }
      for (std::int64_t i = end - 1; i >= first; --i) {
        const Row& here = before[static_cast<std::size_t>(i - first)];
        enter(i, here);
        leave(i, here);
      }
    }
  }

  // What was read in both walks has one slope, with which either is gone through in reverse.
  void run_both_ways(std::int64_t n, std::int64_t head) {
    const Span& span = sizes_.sequences[static_cast<std::size_t>(n)];
    const std::int64_t tokens = span.end - span.begin;
    const auto load = [&](std::string_view name, Row& state) {
      load_state({recurrence::tensor_of(given_, name)}, value_major_, step_, n, head, state);
    };
    Row other = step_.state();
    load("initial_state", state_);
    load("initial_state_reversed", other);
    std::vector<Row> reads = read_both_ways(step_, span, head, state_, other);
    for (std::int64_t i = 0; i < tokens; ++i) {
      evaluate(span, head, i, state_);
      load_output_slope();
      Row& read = reads[static_cast<std::size_t>(i)];
      reverse_.go_back_from_output(step_, Row(read), output_.data(), read);
    }
    for (const bool is_upward : {true, false}) {
      load(is_upward ? "initial_state" : "initial_state_reversed", state_);
      load(is_upward ? "dfinal_state" : "dfinal_state_reversed", slopes_);
      const auto at = [&](std::int64_t i) { return is_upward ? i : tokens - 1 - i; };
      walk_back(
          tokens, [&](std::int64_t i, const Row& before) { evaluate(span, head, at(i), before); },
          [&](std::int64_t i, const Row& before) {
            reverse_.go_back_one_way(step_, before, reads[static_cast<std::size_t>(at(i))], is_upward, slopes_);
          });
      store_state(is_upward ? before_ : other_before_, value_major_, step_, n, head, slopes_);
    }
  }
  // What all queries read has the slopes that all of them give it, and hands them to each key.
  void run_non_causal(std::int64_t n, std::int64_t head) {
    const Span &keys = sizes_.keys[static_cast<std::size_t>(n)],
               &queries = sizes_.sequences[static_cast<std::size_t>(n)];
    load_state(initial_, value_major_, step_, n, head, state_);
    for (std::int64_t i = 0; i < keys.end - keys.begin; ++i) {
      step_.evaluate_key(place_of_step(step_.variant, sizes_, keys, head, i));
      step_.advance(state_);
    }
    load_slopes(end_, value_major_, step_, n, head, slopes_);
    for (std::int64_t i = 0; i < queries.end - queries.begin; ++i) {
      step_.evaluate_query(place_of_step(step_.variant, sizes_, queries, head, i));
      load_output_slope();
      reverse_.go_back_from_query(step_, state_, output_.data(), slopes_);
    }
    for (std::int64_t i = 0; i < keys.end - keys.begin; ++i) {
      step_.evaluate_key(place_of_step(step_.variant, sizes_, keys, head, i));
      reverse_.go_back_from_key(step_, slopes_);
    }
    store_state(before_, value_major_, step_, n, head, slopes_);
  }
  void evaluate(const Span& span, std::int64_t head, std::int64_t i, const Row& before) {
    step_.evaluate(place_of_step(step_.variant, sizes_, span, head, i), true, before);
  }
  void load_output_slope() {
    const Tensor& slope = arguments_.do_;
    const recurrence::Place& place = step_.place;
    recurrence::load_row(
        slope, place.batch * slope.strides[0] + place.token * slope.strides[1] + place.head * slope.strides[2],
        slope.strides[3], sizes_.value_dim, output_.data());
  }

  const BackwardArguments& arguments_;
  const Sizes& sizes_;
  bool value_major_;
  GivenArguments given_;
  Step step_;
  StepSlopes reverse_;
  Row state_, slopes_, output_;
  StateTensors initial_, end_, before_, other_before_;  // the last two: gradients
};

// All elements of `from`, which has no gaps, rounded once.
void store_all(const Tensor& from, const Tensor& to) {
  const double* next = static_cast<const double*>(from.data);
  std::array<std::int64_t, max_rank> index{};
  const auto rank = static_cast<std::size_t>(to.rank);
  for (std::int64_t left = to.elements(); left > 0; --left) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < rank; ++i) offset += index[i] * to.strides[i];
    store(to.data, to.type, offset, *next++);
    for (std::size_t i = rank; i-- > 0 && ++index[i] == to.shape[i];) index[i] = 0;
  }
}

// Of one recurrence; the call's own gradients are not written.
Sums sums_of(const Variant& variant, const CompileOptions& options, const BackwardArguments& arguments) {
  const Sizes sizes = recurrence::bind(variant, options, arguments);
  Sums whole;
  std::vector<Sums> of_heads(static_cast<std::size_t>(sizes.heads));
  const std::vector<Port> gradients = ports_of(ports(variant, options, Pass::backward), PortRole::gradient);
  for (const Port& port : gradients) {
    const std::vector<std::int64_t> shape = shape_of(port, sizes);
    double bytes = 8;
    for (const std::int64_t size : shape) bytes *= static_cast<double>(size);
    require_memory(bytes, port.name, std::string(variant.name.view()));
    whole.add(port.name.substr(1), shape);
    for (Sums& head : of_heads)
      if (port.of == PortRole::parameter)
        head.add(port.name.substr(1), shape);
      else
        head.add(whole.views().back());
  }
  recurrence::in_parallel(sizes.heads, 8 * operations(sizes), [&](const auto& next) {
    for (std::int64_t head; (head = next()) < sizes.heads;)
      HeadWalk(variant, options, arguments, sizes, of_heads[static_cast<std::size_t>(head)].views()).run(head);
  });
  for (std::size_t i = 0; i < gradients.size(); ++i)
    if (gradients[i].of == PortRole::parameter)
      for (const Sums& head : of_heads) whole.add_to(whole.views()[i].name, head.views()[i].tensor);
  return whole;
}

// The second pass first: it gives what the first one has read its slopes. What both read gains by both.
Sums sums_of_chain(const Variant& chain, const CompileOptions& options, const BackwardArguments& arguments) {
  const recurrence::Passed passed(chain, options, arguments);
  Sums whole;
  const std::vector<Port> gradients = ports_of(ports(chain, options, Pass::backward), PortRole::gradient);
  for (const Port& port : gradients) whole.add(port.name.substr(1), shape_of(port, passed.sizes));
  const std::string by_name(passed_input.view());
  Tensor slope;
  std::vector<Sums> of_passes;
  const std::vector<Recurrence> passes = recurrences_of(chain, options);
  for (const Stage stage : {Stage::second, Stage::first}) {
    const Recurrence& own = passes[stage == Stage::first ? 0 : 1];
    BackwardArguments its = passed.arguments_of(stage, arguments);
    if (stage == Stage::first) its.do_ = slope;
    const Sums& sums = of_passes.emplace_back(sums_of(own.variant, own.options, its));
    for (const Port& port : gradients)
      if (const auto name = name_in(stage, port))
        if (const Tensor* const part = recurrence::find(sums.views(), name->substr(1)))
          whole.add_to(port.name.substr(1), *part);
    if (stage == Stage::second) slope = *recurrence::find(sums.views(), by_name);
  }
  return whole;
}

}  // namespace

void oracle_backward(const Variant& variant, const CompileOptions& options, const BackwardArguments& arguments) {
  validate(variant);
  const Sums whole =
      variant.chains_ ? sums_of_chain(variant, options, arguments) : sums_of(variant, options, arguments);
  const GivenArguments given(arguments);
  for (const NamedTensor& sum : whole.views()) {
    const std::string name = "d" + sum.name;
    const Tensor* const wanted = given.find(place_of(name), given.gradients, name);
    if (wanted != nullptr && *wanted) store_all(sum.tensor, *wanted);
  }
}

}  // namespace rankone
