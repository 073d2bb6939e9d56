// SPDX-License-Identifier: MIT
// The public state-only pass on the CPU device: both families, whole and in segments, equal and packed lengths; and two
// spans joined to one. Reads, walks and formulas of queries and outputs change nothing of how states follow from each other.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include <rankone/dsl.hpp>
#include <rankone/rankone.hpp>

#include "proof/oracle/oracle.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/runtime/device_problem.hpp"
#include "tests/runtime/expect_close.hpp"

namespace rankone {
namespace {

using test::DeviceTensor;
using test::expect_close;

constexpr std::int64_t K = 64, V = 64, HV = 2;
constexpr std::int64_t tokens = 300;  // three segments of 128 at most
constexpr double bound = 2.4e-3;

struct States {
  Device device = Device::cpu();
  Operator op;
  std::int64_t length;
  std::vector<std::int32_t> offsets;  // of packed sequences; empty: one
  std::int64_t sequences;
  DeviceTensor q, k, v, g, o, initial, final_state, total, cu_seqlens, workspace;

  States(const Variant& variant, const CompileOptions& options, std::int64_t length,
         const std::vector<std::int32_t>& offsets = {})
      : op(compile(variant, options, device)), length(length), offsets(offsets),
        sequences(offsets.empty() ? 1 : static_cast<std::int64_t>(offsets.size()) - 1),
        q(device, dtype::bf16, {1, length, HV, K}), k(device, dtype::bf16, {1, length, HV, K}),
        v(device, dtype::bf16, {1, length, HV, V}), g(device, dtype::bf16, gate_shape()),
        o(device, dtype::bf16, {1, length, HV, V}), initial(device, dtype::f32, {sequences, HV, K, V}),
        final_state(device, dtype::f32, {sequences, HV, K, V}), total(device, dtype::f32, total_shape()),
        cu_seqlens(device, dtype::i32, {std::max<std::int64_t>(1, static_cast<std::int64_t>(offsets.size()))}),
        workspace(device, dtype::f32, {bytes() / 4 + 4}) {
    test::Draw draw(3);
    for (DeviceTensor* tensor : {&q, &k, &v, &initial}) tensor->fill(draw);
    g.fill([&] { return 0.02 * (draw() - 1); });
    std::size_t next = 0;
    if (!offsets.empty()) cu_seqlens.fill([&] { return static_cast<double>(offsets[next++]); });
  }
  bool per_key() const { return op.variant().decays_by_key(); }
  bool decays() const { return !op.variant().formula(Formula::decay).empty(); }
  std::vector<std::int64_t> gate_shape() const {
    return per_key() ? std::vector<std::int64_t>{1, length, HV, K} : std::vector<std::int64_t>{1, length, HV};
  }
  std::vector<std::int64_t> total_shape() const {
    return per_key() ? std::vector<std::int64_t>{sequences, HV, K} : std::vector<std::int64_t>{sequences, HV};
  }
  std::int64_t bytes() const {
    return static_cast<std::int64_t>(
        op.workspace_bytes({.batch = 1, .tokens = length, .heads = HV, .sequences = offsets.empty() ? 0 : sequences}));
  }
  ForwardArguments arguments(bool on_host) const {
    const auto side = [&](const DeviceTensor& tensor) { return on_host ? tensor.here : tensor.there; };
    ForwardArguments all;
    all.q = side(q), all.k = side(k), all.v = side(v);
    if (decays()) all.inputs = {{"g", side(g)}};
    all.initial_state = side(initial), all.final_state = side(final_state), all.o = side(o);
    all.workspace = workspace.bytes();
    if (!offsets.empty()) all.cu_seqlens = side(cu_seqlens);
    return all;
  }
};

constexpr Variant earlier_read = variant("earlier_read")
                                     .decay(per_head(input("g")))
                                     .query(query() - key() / 2)
                                     .value(silu(value()))
                                     .output(tanh(read()))
                                     .exclusive()
                                     .checked();
constexpr Variant backwards = variant("backwards").decay(per_key(input("g"))).bonus(0.5).reversed().checked();

// Each sequence's sum of log-decays, in float64.
std::vector<double> totals(const States& states) {
  const std::vector<double> gates = states.g.values();
  const std::size_t row = states.per_key() ? HV * K : HV;
  std::vector<double> sums(static_cast<std::size_t>(states.sequences) * row);
  for (std::int64_t n = 0; n < states.sequences && states.decays(); ++n) {
    const auto index = static_cast<std::size_t>(n);
    const std::int64_t first = states.offsets.empty() ? 0 : states.offsets[index],
                       last = states.offsets.empty() ? states.length : states.offsets[index + 1];
    for (std::int64_t t = first; t < last; ++t)
      for (std::size_t i = 0; i < row; ++i) sums[index * row + i] += gates[static_cast<std::size_t>(t) * row + i];
  }
  return sums;
}

void expect_oracle(States& states) {
  states.op.states(states.arguments(false), states.total.there);
  const std::vector<double> state = states.final_state.download().values(), total = states.total.download().values();
  oracle_forward(states.op.variant(), states.op.options(), states.arguments(true));
  expect_close(state, states.final_state.values(), bound);
  expect_close(total, totals(states), 1e-5);
}

CompileOptions square(Family family) {
  return {.key_dim = K, .value_dim = V, .pins = {.family = family, .chunk = 32}, .arch = "sm_90a"};
}

Variant at_level(Variant variant, Level level) {
  variant.level_ = level;
  return variant;
}

// Pinned by the variant itself: pins of the forward pass never stand in the way of this one.
TEST(StatesPass, AgreesWithTheOracle) {
  for (const Variant& variant : {variants::gla, variants::simple_gla, variants::linear})
    for (const Level level : {Level::serial, Level::segment}) {
      SCOPED_TRACE(std::string(variant.name.view()) + (level == Level::segment ? " in segments" : " whole"));
      States one(at_level(variant, level), square(Family::hopper), tokens);
      EXPECT_EQ(one.bytes() > 0, level == Level::segment);
      expect_oracle(one);
      States packed(at_level(variant, level), square(Family::hopper), tokens, {0, 17, 17, 290, 300});
      expect_oracle(packed);
    }
  for (const Variant& variant : {earlier_read, backwards}) {
    SCOPED_TRACE(std::string(variant.name.view()));
    States one(variant, square(Family::portable), 70);
    expect_oracle(one);
    States packed(variant, square(Family::portable), 150, {0, 17, 17, 140, 150});
    expect_oracle(packed);
  }
  States chunked(at_level(variants::gla, Level::chunk), square(Family::portable), 70);
  expect_oracle(chunked);
}

TEST(StatesPass, PreparedForwardsHaveOne) {
  const CompileOptions options{
      .key_dim = 64, .value_dim = 64, .pins = {.family = Family::hopper, .prepared = true}, .arch = "sm_90a"};
  States states(variants::gla, options, 70);
  expect_oracle(states);
}

// What is asked for alone, too.
TEST(StatesPass, WritesWhatIsWanted) {
  for (const Level level : {Level::serial, Level::segment}) {
    States states(at_level(variants::gla, level), square(Family::hopper), tokens);
    ForwardArguments arguments = states.arguments(false);
    states.op.states(arguments, {});
    const std::vector<double> state = states.final_state.download().values();
    arguments.final_state = {};
    arguments.initial_state = {};
    states.op.states(arguments, states.total.there);
    expect_close(states.total.download().values(), totals(states), 1e-5);
    oracle_forward(states.op.variant(), states.op.options(), states.arguments(true));
    expect_close(state, states.final_state.values(), bound);
  }
}

// In a reversed walk the later tokens are the first span.
TEST(StatesPass, TwoSpansCombineToOne) {
  for (const auto& [variant, family] : {std::pair{at_level(variants::gla, Level::serial), Family::hopper},
                                        {at_level(variants::gla, Level::segment), Family::hopper},
                                        {backwards, Family::portable}}) {
    SCOPED_TRACE(std::string(variant.name.view()));
    States whole(variant, square(family), tokens);
    oracle_forward(whole.op.variant(), whole.op.options(), whole.arguments(true));
    const std::vector<double> expected = whole.final_state.values();
    const auto span = [&](std::int64_t first, std::int64_t count, Tensor initial, Tensor final_state) {
      ForwardArguments part = whole.arguments(false);
      for (Tensor* tensor : {&part.k, &part.v, &part.inputs[0].tensor}) {
        tensor->data = static_cast<char*>(tensor->data) + first * tensor->strides[1] * 2;
        tensor->shape[1] = count;
      }
      part.q = part.o = {};
      part.initial_state = initial;
      part.final_state = final_state;
      return part;
    };
    DeviceTensor earlier(whole.device, dtype::f32, {1, HV, K, V}), later(whole.device, dtype::f32, {1, HV, K, V}),
        total(whole.device, dtype::f32, {1, HV, K});
    const std::int64_t first = variant.reversed_ ? 170 : 0, count = variant.reversed_ ? 130 : 170;
    whole.op.states(span(first, count, whole.initial.there, earlier.there), {});
    whole.op.states(span(170 - first, tokens - count, {}, later.there), total.there);
    whole.op.combine(later.there, total.there, earlier.there);
    expect_close(later.download().values(), expected, bound);
  }
}

}  // namespace
}  // namespace rankone
