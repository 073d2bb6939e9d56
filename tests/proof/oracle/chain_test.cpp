// SPDX-License-Identifier: MIT
// The oracle of chains: against what their passes do one after the other, and against definitions without a state.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <rankone/dsl.hpp>

#include "proof/oracle/compare.hpp"
#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

constexpr std::int64_t B = 2, T = 7, H = 1, HV = 2, K = 3, M = 4, V = 2;

class Chain : public testing::Test {
 protected:
  std::mt19937 source{5};
  Array q = Array::random({B, T, H, K}, source), k = Array::random({B, T, H, K}, source),
        v = Array::random({B, T, HV, V}, source), of_slots = Array::random({B, T, HV, M}, source, -2, 0);

  // Of place s in what place t reads of a slot: exp of the log-decays between, times the write.
  template <class LogDecay, class Write>
  double weight(const LogDecay& log_decay, const Write& write, std::int64_t b, std::int64_t t, std::int64_t s,
                std::int64_t j, std::int64_t m) {
    double sum = 0;
    for (std::int64_t u = s + 1; u <= t; ++u) sum += log_decay(b, u, j, m);
    return std::exp(sum) * write(b, s, j, m);
  }
  template <class LogDecay, class Write>
  void check(const Variant& variant, const char* input, const LogDecay& log_decay, const Write& write) {
    Array expected({B, T, HV, V}), o({B, T, HV, V});
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t t = 0; t < T; ++t)
        for (std::int64_t j = 0; j < HV; ++j) {
          std::vector<double> read(M, 0.0);
          double all = 0;
          for (std::int64_t m = 0; m < M; ++m) {
            for (std::int64_t s = 0; s <= t; ++s)
              for (std::int64_t i = 0; i < K; ++i)
                read[static_cast<std::size_t>(m)] += q.at(b, t, 0, i) * k.at(b, s, 0, i) / std::sqrt(double(K)) *
                                                     weight(log_decay, write, b, t, s, j, m);
            all += std::exp(read[static_cast<std::size_t>(m)]);
          }
          for (std::int64_t c = 0; c < V; ++c) {
            double sum = 0;
            for (std::int64_t m = 0; m < M; ++m)
              for (std::int64_t s = 0; s <= t; ++s)
                sum += std::exp(read[static_cast<std::size_t>(m)]) / all * weight(log_decay, write, b, t, s, j, m) *
                       v.at(b, s, j, c);
            expected.at(b, t, j, c) = sum;
          }
        }
    ForwardArguments arguments{
        .q = q.tensor(), .k = k.tensor(), .v = v.tensor(), .inputs = {{input, of_slots.tensor()}}, .o = o.tensor()};
    oracle_forward(variant, {}, arguments);
    const Comparison comparison = compare(o.tensor(), expected.tensor(), 1e-13);
    EXPECT_TRUE(comparison.ok) << variant.name.view() << " " << comparison.relative_error;
  }
};

TEST_F(Chain, OfTheCatalogueIsWhatItsDefinitionSays) {
  const auto g = [&](std::int64_t b, std::int64_t t, std::int64_t j, std::int64_t m) {
    return of_slots.at(b, t, j, m);
  };
  const auto sum = [&](std::int64_t b, std::int64_t t, std::int64_t j, std::int64_t m) {
    double all = 0;
    for (std::int64_t u = 0; u <= t; ++u) all += std::exp(g(b, u, j, m));
    return std::log(all);
  };
  check(variants::gsa, "g", g, [&](auto... at) { return 1 - std::exp(g(at...)); });
  check(
      variants::abc, "s",
      [&](std::int64_t b, std::int64_t t, std::int64_t j, std::int64_t m) {
        return t > 0 ? sum(b, t - 1, j, m) - sum(b, t, j, m) : 0.0;
      },
      [&](auto... at) { return std::exp(g(at...) - sum(at...)); });
}

// From the states of both passes, and of the scan, a call goes on as if there had been one.
TEST_F(Chain, GoesOnFromTheStatesOfBothPasses) {
  for (const Variant& variant : {variants::gsa, variants::abc}) {
    const char* const input = has_scan(variant) ? "s" : "g";
    Array whole({B, T, HV, V}), parts({B, T, HV, V}), end({B, HV, M, V}), end_of_parts({B, HV, M, V});
    Array first({B, HV, K, M}), state({B, HV, M, V}), scan({B, HV, M});
    const auto part = [&](Array& of, std::int64_t begin, std::int64_t tokens) {
      Tensor tensor = of.tensor();
      tensor.data = &of[begin * tensor.strides[1]];
      tensor.shape[1] = tokens;
      return tensor;
    };
    const auto call = [&](std::int64_t begin, std::int64_t tokens, Array& o) {
      return ForwardArguments{.q = part(q, begin, tokens),
                              .k = part(k, begin, tokens),
                              .v = part(v, begin, tokens),
                              .inputs = {{input, part(of_slots, begin, tokens)}},
                              .o = part(o, begin, tokens)};
    };
    ForwardArguments all = call(0, T, whole), head = call(0, 3, parts), tail = call(3, T - 3, parts);
    all.final_state = end.tensor();
    head.final_state = state.tensor(), tail.initial_state = state.tensor(), tail.final_state = end_of_parts.tensor();
    head.inputs.push_back({"final_state_first", first.tensor()});
    tail.inputs.push_back({"initial_state_first", first.tensor()});
    if (has_scan(variant)) head.inputs.push_back({"final_state_scan", scan.tensor()});
    if (has_scan(variant)) tail.inputs.push_back({"initial_state_scan", scan.tensor()});
    for (const ForwardArguments& each : {all, head, tail}) oracle_forward(variant, {}, each);
    EXPECT_TRUE(compare(parts.tensor(), whole.tensor(), 1e-13).ok) << variant.name.view();
    EXPECT_TRUE(compare(end_of_parts.tensor(), end.tensor(), 1e-13).ok) << variant.name.view();
  }
}

}  // namespace
