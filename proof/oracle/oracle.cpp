// SPDX-License-Identifier: MIT
// The recurrence in float64.
#include "proof/oracle/oracle.hpp"

#include <algorithm>
#include <vector>

#include <rankone/dsl/validate.hpp>

#include "proof/oracle/bind.hpp"
#include "proof/oracle/chain.hpp"
#include "proof/oracle/pieces.hpp"
#include "proof/oracle/step.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

using recurrence::Row;
using recurrence::Sizes;
using recurrence::Span;

class Recurrence {
 public:
  Recurrence(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments,
             const Sizes& sizes)
      : arguments_(arguments), sizes_(sizes), value_major_(options.value_major_state),
        initial_(recurrence::state_tensors(GivenArguments(arguments), "initial_")),
        final_(recurrence::state_tensors(GivenArguments(arguments), "final_")),
        step_(variant, sizes, GivenArguments(arguments)), state_(step_.state()),
        o_(static_cast<std::size_t>(step_.columns)) {}

  // One for each sequence and value head.
  void run(std::int64_t piece) { run(piece / sizes_.value_heads, piece % sizes_.value_heads); }

 private:
  void run(std::int64_t n, std::int64_t head) {
    if (step_.variant.bidirectional_) return run_both_ways(n, head);
    if (step_.variant.non_causal_) return run_non_causal(static_cast<std::size_t>(n), head);
    const Span& span = sizes_.sequences[static_cast<std::size_t>(n)];
    load_state(initial_, value_major_, step_, n, head, state_);
    const bool before = step_.variant.reads_before(), reads = static_cast<bool>(arguments_.o);
    for (std::int64_t i = 0; i < (span.end - span.begin) * sizes_.steps; ++i) {
      step_.evaluate(place_of_step(step_.variant, sizes_, span, head, i), reads, state_);
      if (reads && before && step_.is_read()) read();
      step_.advance(state_);
      if (reads && !before && step_.is_read()) read();
    }
    store_state(final_, value_major_, step_, n, head, state_);
  }

  // All keys are written, and then read by each query.
  void run_non_causal(std::size_t n, std::int64_t head) {
    const auto sequence = static_cast<std::int64_t>(n);
    const Span &keys = sizes_.keys[n], &queries = sizes_.sequences[n];
    load_state(initial_, value_major_, step_, sequence, head, state_);
    for (std::int64_t i = 0; i < keys.end - keys.begin; ++i) {
      step_.evaluate_key(place_of_step(step_.variant, sizes_, keys, head, i));
      step_.advance(state_);
    }
    for (std::int64_t i = 0; arguments_.o && i < queries.end - queries.begin; ++i) {
      step_.evaluate_query(place_of_step(step_.variant, sizes_, queries, head, i));
      read();
    }
    store_state(final_, value_major_, step_, sequence, head, state_);
  }

  void run_both_ways(std::int64_t n, std::int64_t head) {
    const Span& span = sizes_.sequences[static_cast<std::size_t>(n)];
    Row other = state_;
    load_state(initial_, value_major_, step_, n, head, state_);
    load_state({given("initial_state_reversed")}, value_major_, step_, n, head, other);
    const std::vector<Row> reads = read_both_ways(step_, span, head, state_, other, static_cast<bool>(arguments_.o));
    for (std::int64_t i = 0; arguments_.o && i < span.end - span.begin; ++i) {
      step_.evaluate(place_of_step(step_.variant, sizes_, span, head, i), true, state_);
      write(reads[static_cast<std::size_t>(i)]);
    }
    store_state(final_, value_major_, step_, n, head, state_);
    store_state({given("final_state_reversed")}, value_major_, step_, n, head, other);
  }

  Tensor given(std::string_view name) const { return recurrence::tensor_of(GivenArguments(arguments_), name); }
  void read() {
    step_.read(state_, o_);
    write(o_);
  }
  void write(const Row& read) {
    const double* const output = step_.output(read);
    const recurrence::Place& place = step_.place;
    const Tensor& o = arguments_.o;
    const std::int64_t offset = place.batch * o.strides[0] + place.token * o.strides[1] + place.head * o.strides[2];
    for (std::int64_t j = 0; j < sizes_.value_dim; ++j) store(o.data, o.type, offset + j * o.strides[3], output[j]);
  }

  const ForwardArguments& arguments_;
  Sizes sizes_;
  bool value_major_;
  recurrence::StateTensors initial_, final_;
  recurrence::Step step_;
  Row state_, o_;
};

}  // namespace

namespace recurrence {

void run_forward(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments) {
  const Sizes sizes = bind(variant, options, arguments);
  const auto pieces = static_cast<std::int64_t>(sizes.sequences.size()) * sizes.value_heads;
  in_parallel(pieces, operations(sizes), [&](const auto& next) {
    Recurrence own(variant, options, arguments, sizes);
    for (std::int64_t piece; (piece = next()) < pieces;) own.run(piece);
  });
}

}  // namespace recurrence

void oracle_forward(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments) {
  validate(variant);
  if (variant.chains_)
    recurrence::run_chain(variant, options, arguments);
  else
    recurrence::run_forward(variant, options, arguments);
}

}  // namespace rankone
