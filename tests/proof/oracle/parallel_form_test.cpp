// SPDX-License-Identifier: MIT
// The oracle against another definition of the same: sums over all earlier tokens, without a state.
//
//   o_t = scale sum_{s <= t} (phi(q_t) * exp(g_{s+1} + ... + g_t)) . key_s  w_s v_s,   key_s = phi(k_s) or its formula
//
// times cos(p_{s+1} + ... + p_t) of its phases p,
//
// and, where the variant is normalised, by what a function makes of the same sum with ones for v.
//
// A feature map with a dimension of its own is written as the score of a query and a key that it stands for.
//
// Of a permuted variant s and t count places of the order; of a non-causal one s is every token.
//
// Each variant's g, key and w are written out here in plain arithmetic, apart from its declaration.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include <rankone/dsl.hpp>

#include "proof/oracle/compare.hpp"
#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

constexpr std::int64_t B = 2, T = 23, H = 2, HV = 4, K = 5, V = 3;
constexpr double length = 29;  // cosformer's

struct Position {
  std::int64_t b, t, j, i;  // batch row, token, value head, key
};

// Of the rows of a query and a key, which stands so many tokens before it.
using Score = std::function<double(const double* q, const double* k, std::int64_t distance)>;

struct Definition {
  const Variant& variant;
  std::function<double(Position)> log_decay;
  std::function<double(Position)> key = nullptr;  // instead of k
  std::function<double(Position)> write_scale = [](Position) { return 1.0; };
  double scale = 1 / std::sqrt(5.0);
  std::function<double(double)> feature = [](double x) { return x; };
  // Of what a column of ones has of an output: what it is divided by.
  std::function<double(double)> divisor = [](double) { return 1.0; };
  std::function<double(Position)> gate = [](Position) { return 1.0; };  // of the output; i: its value column
  Score score = nullptr;  // instead of all that makes a weight but the scale
  std::function<double(Position)> phase = [](Position) { return 0.0; };
};

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double product_of(const double* a, const double* b) { return std::inner_product(a, a + K, b, 0.0); }
// Of softmax(sign a) and softmax(sign b).
double product_of_softmaxes(const double* a, const double* b, double sign) {
  double sum = 0, of_a = 0, of_b = 0;
  for (std::int64_t i = 0; i < K; ++i) {
    sum += std::exp(sign * (a[i] + b[i]));
    of_a += std::exp(sign * a[i]), of_b += std::exp(sign * b[i]);
  }
  return sum / (of_a * of_b);
}
double score_of_cosformer(const double* q, const double* k, std::int64_t distance) {
  double sum = 0;
  for (std::int64_t i = 0; i < K; ++i) sum += std::max(q[i], 0.0) * std::max(k[i], 0.0);
  return sum * std::cos(std::acos(-1.0) * static_cast<double>(distance) / (2 * length));
}
double score_of_hedgehog(const double* q, const double* k, std::int64_t) {
  return product_of_softmaxes(q, k, 1) + product_of_softmaxes(q, k, -1);
}
double score_of_based(const double* q, const double* k, std::int64_t) {
  const double s = product_of(q, k) / std::sqrt(K);
  return 1 + s + s * s / 2;
}
double score_of_rebased(const double* q, const double* k, std::int64_t) {
  const double s = product_of(q, k) / std::sqrt(K);
  return s * s;
}

class ParallelForm : public testing::Test {
 protected:
  std::mt19937 source{11};
  Array q = Array::random({B, T, H, K}, source), k = Array::random({B, T, H, K}, source);
  Array v = Array::random({B, T, HV, V}, source);
  Array per_head = Array::random({B, T, HV}, source, -3, 0), per_key = Array::random({B, T, HV, K}, source, -3, 0);
  Array per_value = Array::random({B, T, HV, V}, source), log_scale = Array::random({B, T, HV}, source, -2, 4);
  Array a_log = Array::random({HV}, source), dt_bias = Array::random({HV}, source);
  Array lower_bound = Array::random({HV, K}, source, 0, 1);

  std::vector<std::int32_t> order = shuffled();  // of permuted variants

  std::vector<std::int32_t> shuffled() {
    std::vector<std::int32_t> tokens(T);
    std::iota(tokens.begin(), tokens.end(), 0);
    std::shuffle(tokens.begin(), tokens.end(), source);
    return tokens;
  }
  double head_value(Position p) { return per_head[(p.b * T + p.t) * HV + p.j]; }
  double key_value(Position p) { return per_key.at(p.b, p.t, p.j, p.i); }

  std::int64_t token(const Definition& of, std::int64_t place) const {
    return of.variant.permuted_ ? order[static_cast<std::size_t>(place)] : place;
  }
  // Of place s in what place t reads.
  double weight(const Definition& of, std::int64_t b, std::int64_t t, std::int64_t s, std::int64_t j) {
    const auto at = [&](std::int64_t place) { return token(of, place); };
    const std::int64_t h = j / (HV / H);
    if (of.score) return of.score(&q.at(b, at(t), h, 0), &k.at(b, at(s), h, 0), t - s);
    double sum = 0;
    for (std::int64_t i = 0; i < K; ++i) {
      double log_decay = 0, phase = 0;
      for (std::int64_t u = s + 1; u <= t; ++u)
        log_decay += of.log_decay({b, at(u), j, i}), phase += of.phase({b, at(u), j, i});
      const double key = of.key ? of.key({b, at(s), j, i}) : of.feature(k.at(b, at(s), h, i));
      sum += of.feature(q.at(b, at(t), h, i)) * std::exp(log_decay) * std::cos(phase) * key *
             of.write_scale({b, at(s), j, i});
    }
    return sum;
  }

  Array expected(const Definition& of) {
    Array o({B, T, HV, V});
    const auto at = [&](std::int64_t place) { return token(of, place); };
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t t = 0; t < T; ++t)
        for (std::int64_t j = 0; j < HV; ++j)
          for (std::int64_t c = 0; c < V; ++c) {
            double sum = 0, of_ones = 0;
            for (std::int64_t s = 0; s < (of.variant.non_causal_ ? T : t + 1); ++s) {
              const double of_place = weight(of, b, t, s, j);
              sum += of_place * v.at(b, at(s), j, c);
              of_ones += of_place;
            }
            o.at(b, at(t), j, c) = of.gate({b, at(t), j, c}) * of.scale * sum / of.divisor(of.scale * of_ones);
          }
    return o;
  }

  void check(const Definition& of) {
    Array o({B, T, HV, V});
    ForwardArguments arguments{.q = q.tensor(), .k = k.tensor(), .v = v.tensor()};
    for (const Leaf& leaf : inputs_of(of.variant)) {
      Array& values = leaf.axes.has(Axes::key)     ? per_key
                      : leaf.axes.has(Axes::value) ? per_value
                      : leaf.view() == "i"         ? log_scale
                                                   : per_head;
      arguments.inputs.push_back({std::string(leaf.view()), values.tensor()});
    }
    arguments.inputs.push_back({"A_log", a_log.tensor()});
    arguments.inputs.push_back({"order", Tensor::of(order.data(), {T})});
    arguments.inputs.push_back({"dt_bias", dt_bias.tensor()});
    arguments.inputs.push_back({"lower_bound", lower_bound.tensor()});
    arguments.scalars = {{"layer", 3}, {"layers", 8}, {"length", length}};
    arguments.o = o.tensor();
    oracle_forward(of.variant, {.key_dim = K, .value_dim = V}, arguments);
    Array reference = expected(of);
    const Comparison comparison = compare(o.tensor(), reference.tensor(), 1e-13);
    EXPECT_TRUE(comparison.ok) << of.variant.name.text << " " << comparison.relative_error << " "
                               << comparison.worst_row;
  }
};

TEST_F(ParallelForm, OfTheWholeCatalogue) {
  const auto one = [](Position) { return 1.0; };
  const auto plus = [](double epsilon) { return [=](double n) { return n + epsilon; }; };
  const auto of_image = [&](const Variant& variant, std::function<double(Position)> gate = nullptr) {
    return Definition{variant, [](Position) { return 0.0; },           nullptr,     one,
                      1,       [](double x) { return x > 0 ? x : 0; }, plus(1e-15), gate ? gate : one};
  };
  const auto of_score = [&](const Variant& variant, const Score& score) {
    Definition definition{.variant = variant, .log_decay = nullptr};
    definition.scale = 1, definition.divisor = plus(1e-6), definition.score = score;
    return definition;
  };
  const auto step_size = [&](Position p) { return std::log1p(std::exp(head_value(p) + dt_bias[p.j])); };
  const auto bounded = [&](Position p) {
    const double bound = lower_bound[p.j * K + p.i];
    return bound + (1 - bound) * sigmoid_of(key_value(p));
  };
  Definition turning{.variant = variants::gateloop,
                     .log_decay = [&](Position p) { return std::log(sigmoid_of(key_value(p))); }};
  turning.scale = 1, turning.phase = [&](Position p) { return key_value(p); };
  // Of the exponentials of a key up to a token.
  const auto log_sum = [&](Position p, std::int64_t last) {
    double sum = 0;
    for (std::int64_t t = 0; t <= last; ++t) sum += std::exp(k.at(p.b, t, p.j / (HV / H), p.i));
    return std::log(sum);
  };
  const std::vector<Definition> definitions = {
      turning,
      {variants::linear, [](Position) { return 0.0; }},
      {variants::retnet, [](Position p) { return std::log(1 - std::pow(2.0, -5.0 - double(p.j))); }},
      {variants::lightning, [](Position p) { return -8.0 / HV * (1 - 3.0 / 8) * double(p.j); }},
      {variants::gated_retention, [&](Position p) { return std::log(sigmoid_of(head_value(p))) / 16; }},
      {variants::simple_gla, [&](Position p) { return head_value(p); }},
      {variants::gla, [&](Position p) { return key_value(p); }},
      {variants::dig, [&](Position p) { return key_value(p); }},
      {variants::gla_sigmoid, [&](Position p) { return std::log(sigmoid_of(key_value(p))) / 16; }},
      {variants::mamba2, [&](Position p) { return -std::exp(a_log[p.j]) * step_size(p); }, nullptr, step_size, 1},
      {variants::lightnet, [&](Position p) { return p.t > 0 ? log_sum(p, p.t - 1) - log_sum(p, p.t) : 0; },
       [&](Position p) { return std::exp(k.at(p.b, p.t, p.j / (HV / H), p.i) - log_sum(p, p.t)); }},
      {variants::hgrn2, [&](Position p) { return std::log(bounded(p)); }, [&](Position p) { return 1 - bounded(p); }},
      {variants::linear_transformer, [](Position) { return 0.0; }, nullptr, [](Position) { return 1.0; }, 1,
       [](double x) { return x > 0 ? x + 1 : std::exp(x); }, plus(1e-6)},
      {variants::performer, [](Position) { return 0.0; }, nullptr, [](Position) { return 1.0; }, 1,
       [](double x) { return std::exp(x); }, plus(1e-6)},
      of_score(variants::cosformer, score_of_cosformer),
      of_score(variants::hedgehog, score_of_hedgehog),
      of_score(variants::based, score_of_based),
      of_score(variants::rebased, score_of_rebased),
      of_image(variants::lite_la),
      of_image(variants::edit),
      of_image(variants::gate_control, [&](Position p) { return sigmoid_of(head_value(p)); }),
      of_image(variants::regla, [&](Position p) { return sigmoid_of(per_value.at(p.b, p.t, p.j, p.i)); }),
      {variants::mlstm, [&](Position p) { return std::log(sigmoid_of(head_value(p))); }, nullptr,
       [&](Position p) { return std::exp(log_scale[(p.b * T + p.t) * HV + p.j]); }, 1 / std::sqrt(5.0),
       [](double x) { return x; }, [](double n) { return std::max(std::abs(n), 1.0); }},
  };
  constexpr std::size_t others = 19;  // whose recurrences are in transition_test.cpp, and chain_test.cpp
  EXPECT_EQ(definitions.size() + others, catalogue().size());
  for (const Definition& definition : definitions) check(definition);
}

}  // namespace
