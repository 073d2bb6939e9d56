// SPDX-License-Identifier: MIT
// The oracle of non-causal variants against sums over all keys, without a state.
#include <gtest/gtest.h>

#include <cmath>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

constexpr std::int64_t B = 2, T = 5, Tk = 7, K = 3, V = 2;

double relu_of(double x) { return x > 0 ? x : 0; }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

constexpr Variant gated = variant("gated")
                              .feature_map(relu)
                              .write_scale(sigmoid(input("w")))
                              .output(read() * input("z", value_head_axis))
                              .scale(0.5)
                              .non_causal()
                              .checked();

TEST(NonCausal, EveryQueryReadsAllKeys) {
  std::mt19937 source{5};
  Array q = Array::random({B, T, 1, K}, source), k = Array::random({B, Tk, 1, K}, source),
        v = Array::random({B, Tk, 1, V}, source), w = Array::random({B, Tk, 1}, source),
        z = Array::random({B, T, 1}, source), initial = Array::random({B, 1, K, V}, source), o({B, T, 1, V}),
        final_state({B, 1, K, V});
  oracle_forward(gated, {},
                 {.q = q.tensor(),
                  .k = k.tensor(),
                  .v = v.tensor(),
                  .inputs = {{"w", w.tensor()}, {"z", z.tensor()}},
                  .initial_state = initial.tensor(),
                  .o = o.tensor(),
                  .final_state = final_state.tensor()});
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t c = 0; c < V; ++c) {
      double states[K];
      for (std::int64_t i = 0; i < K; ++i) {
        states[i] = initial.at(b, 0, i, c);
        for (std::int64_t s = 0; s < Tk; ++s)
          states[i] += relu_of(k.at(b, s, 0, i)) * sigmoid_of(w[b * Tk + s]) * v.at(b, s, 0, c);
        EXPECT_NEAR(final_state.at(b, 0, i, c), states[i], 1e-13);
      }
      for (std::int64_t t = 0; t < T; ++t) {
        double read = 0;
        for (std::int64_t i = 0; i < K; ++i) read += relu_of(q.at(b, t, 0, i)) * states[i];
        EXPECT_NEAR(o.at(b, t, 0, c), 0.5 * read * z[b * T + t], 1e-13);
      }
    }
}

TEST(NonCausal, PacksQueriesAndKeysTogether) {
  std::mt19937 source{6};
  Array q = Array::random({1, T, 1, K}, source), k = Array::random({1, Tk, 1, K}, source),
        v = Array::random({1, Tk, 1, V}, source), o({1, T, 1, V});
  std::vector<std::int32_t> queries = {0, 2, 2, 5}, keys = {0, 0, 4, 7};
  const Variant plain = variant("plain").non_causal().scale(1);
  ForwardArguments arguments{.q = q.tensor(),
                             .k = k.tensor(),
                             .v = v.tensor(),
                             .inputs = {{"cu_seqlens_k", Tensor::of(keys.data(), {4})}},
                             .cu_seqlens = Tensor::of(queries.data(), {4}),
                             .o = o.tensor()};
  oracle_forward(plain, {}, arguments);
  for (std::int64_t t = 0; t < T; ++t)
    for (std::int64_t c = 0; c < V; ++c) {
      double read = 0;
      for (std::int64_t s = t < 2 ? 0 : 4; s < (t < 2 ? 0 : 7); ++s)
        for (std::int64_t i = 0; i < K; ++i) read += q.at(0, t, 0, i) * k.at(0, s, 0, i) * v.at(0, s, 0, c);
      EXPECT_NEAR(o.at(0, t, 0, c), read, 1e-13) << t;
    }
  arguments.inputs.clear();
  try {
    oracle_forward(plain, {}, arguments);
    FAIL() << "keys without boundaries";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "cu_seqlens_k") << error.what();
  }
}

}  // namespace
