// SPDX-License-Identifier: MIT
// The oracle against the catalogue's recurrences in another form: each token's transition as one K x K matrix, or as a
// factor for each element of the state.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <rankone/dsl.hpp>

#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

constexpr int T = 7, K = 3, V = 2;
using Row = std::vector<double>;
using Matrix = std::vector<Row>;

// What a token does to the state: S = transition S * factors + key^T value.
struct Token {
  Matrix transition, factors;
  Row key, value;
};

double softplus(double x) { return std::log1p(std::exp(x)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// One head's tensors of random numbers.
struct Call {
  std::mt19937 source{17};
  Array q = Array::random({1, T, 1, K}, source), k = Array::random({1, T, 1, K}, source),
        v = Array::random({1, T, 1, V}, source), initial = Array::random({1, 1, K, V}, source), o{{1, T, 1, V}},
        final_state{{1, 1, K, V}};
  std::map<std::string, Array> inputs{};

  Call& with(const std::string& name, std::vector<std::int64_t> shape, double low, double high) {
    inputs.emplace(name, Array::random(std::move(shape), source, low, high));
    return *this;
  }
  Call& per_head(const std::string& name, double low, double high) { return with(name, {1, T, 1}, low, high); }
  Call& per_key(const std::string& name, double low = -1, double high = 1) {
    return with(name, {1, T, 1, K}, low, high);
  }
  Call& per_value(const std::string& name, double low = -1, double high = 1) {
    return with(name, {1, T, 1, V}, low, high);
  }
  // With keys, values and `inputs` for each of a token's steps, drawn anew.
  Call& with_steps(int steps, const std::vector<std::string>& of_steps) {
    k = Array::random({1, T * steps, 1, K}, source), v = Array::random({1, T * steps, 1, V}, source);
    for (const std::string& name : of_steps)
      inputs.insert_or_assign(name, Array::random({1, T * steps, 1}, source, 0, 1));
    return *this;
  }
  // Element `i` of a token's row.
  double at(const std::string& name, int t, int i = 0) {
    Array& array = name == "k" ? k : name == "v" ? v : inputs.at(name);
    const std::int64_t width = array.shape.size() > 3 ? array.shape[3] : 1;
    return array[t * width + i];
  }
  double of(const std::string& parameter, int i) { return inputs.at(parameter)[i]; }

  Token plain(int t) {
    Token token{Matrix(K, Row(K, 0.0)), Matrix(K, Row(V, 1.0)), Row(K), Row(V)};
    for (int i = 0; i < K; ++i) token.transition[i][i] = 1, token.key[i] = at("k", t, i);
    for (int j = 0; j < V; ++j) token.value[j] = at("v", t, j);
    return token;
  }
  void run(const Variant& variant) {
    ForwardArguments arguments{.q = q.tensor(), .k = k.tensor(), .v = v.tensor()};
    for (auto& [name, array] : inputs) arguments.inputs.push_back({name, array.tensor()});
    arguments.initial_state = initial.tensor();
    arguments.o = o.tensor();
    arguments.final_state = final_state.tensor();
    oracle_forward(variant, {}, arguments);
  }
};

Row product(const Row& row, const Matrix& matrix) {
  Row result(matrix.front().size(), 0.0);
  for (std::size_t i = 0; i < matrix.size(); ++i)
    for (std::size_t j = 0; j < result.size(); ++j) result[j] += row[i] * matrix[i][j];
  return result;
}

// What is read at a token, of the states before and after it.
using Read = std::function<Row(const Row& query, const Matrix& before, const Matrix& after, int t)>;
Row read_after(const Row& query, const Matrix&, const Matrix& after, int) { return product(query, after); }

void expect_agreement(Call& call, const Variant& variant, const std::function<Token(int)>& token_of,
                      const Read& read = read_after) {
  call.run(variant);
  const double scale = variant.scale_ != 0 ? variant.scale_ : 1 / std::sqrt(K);
  Matrix state(K, Row(V));
  for (int i = 0; i < K; ++i)
    for (int j = 0; j < V; ++j) state[i][j] = call.initial[i * V + j];
  for (int step = 0; step < T; ++step) {
    const int t = variant.reversed_ ? T - 1 - step : step;
    const Token token = token_of(t);
    const Matrix before = state;
    for (int i = 0; i < K; ++i) {
      const Row moved = product(token.transition[i], before);
      for (int j = 0; j < V; ++j) state[i][j] = moved[j] * token.factors[i][j] + token.key[i] * token.value[j];
    }
    Row query(K);
    for (int i = 0; i < K; ++i) query[i] = scale * call.q[t * K + i];
    const Row o = read(query, before, state, t);
    for (int j = 0; j < V; ++j) EXPECT_NEAR(call.o[t * V + j], o[j], 1e-13) << variant.name.view() << " " << t;
  }
  for (int i = 0; i < K; ++i)
    for (int j = 0; j < V; ++j) EXPECT_NEAR(call.final_state[i * V + j], state[i][j], 1e-13) << variant.name.view();
}

// (I - scale at^T from) with what stands before it decayed by key.
Matrix erasure(const Row& at, const Row& from, double scale, const Row& decays) {
  Matrix matrix(K, Row(K));
  for (int i = 0; i < K; ++i)
    for (int j = 0; j < K; ++j) matrix[i][j] = ((i == j) - scale * at[i] * from[j]) * decays[j];
  return matrix;
}

TEST(Transition, DeltaRules) {
  Call delta, gated, kda;
  delta.per_head("beta", 0, 2);
  expect_agreement(delta, variants::delta, [&](int t) {
    Token token = delta.plain(t);
    token.transition = erasure(token.key, token.key, delta.at("beta", t), Row(K, 1));
    for (double& each : token.key) each *= delta.at("beta", t);
    return token;
  });
  gated.per_head("beta", 0, 1).per_head("g", -2, 0);
  expect_agreement(gated, variants::gated_delta, [&](int t) {
    Token token = gated.plain(t);
    token.transition = erasure(token.key, token.key, gated.at("beta", t), Row(K, std::exp(gated.at("g", t))));
    for (double& each : token.key) each *= gated.at("beta", t);
    return token;
  });
  kda.per_head("beta", 0, 1).per_key("g", -2, 0);
  expect_agreement(kda, variants::kda, [&](int t) {
    Token token = kda.plain(t);
    Row decays(K);
    for (int i = 0; i < K; ++i) decays[i] = std::exp(kda.at("g", t, i));
    token.transition = erasure(token.key, token.key, kda.at("beta", t), decays);
    for (double& each : token.key) each *= kda.at("beta", t);
    return token;
  });
}

// Two steps' transitions, one after the other, are one: (I - b2 k2^T k2) (I - b1 k1^T k1) exp(g), and what the first one
// writes goes through the second.
TEST(Transition, StepsOfATokenFollowEachOther) {
  Call call;
  call.per_head("g", -2, 0).with_steps(2, {"beta"});
  call.run(variants::delta_product);
  Matrix state(K, Row(V));
  for (int i = 0; i < K; ++i)
    for (int j = 0; j < V; ++j) state[i][j] = call.initial[i * V + j];
  for (int t = 0; t < T; ++t) {
    for (Row& row : state)
      for (double& each : row) each *= std::exp(call.at("g", t));
    for (int step = 2 * t; step < 2 * t + 2; ++step) {
      Row key(K);
      for (int i = 0; i < K; ++i) key[i] = call.at("k", step, i);
      const Row held = product(key, state);
      for (int i = 0; i < K; ++i)
        for (int j = 0; j < V; ++j) state[i][j] += call.at("beta", step) * key[i] * (call.at("v", step, j) - held[j]);
    }
    Row query(K);
    for (int i = 0; i < K; ++i) query[i] = call.q[t * K + i] / std::sqrt(K);
    const Row o = product(query, state);
    for (int j = 0; j < V; ++j) EXPECT_NEAR(call.o[t * V + j], o[j], 1e-13) << t;
  }
  for (int i = 0; i < K; ++i)
    for (int j = 0; j < V; ++j) EXPECT_NEAR(call.final_state[i * V + j], state[i][j], 1e-13);
}

// Written out: every token's write, and the initial state, times exp of the complex rates behind it.
TEST(Transition, AComplexDecayTurnsTheState) {
  using Complex = std::complex<double>;
  Call call;
  call.per_key("a", -2, 2).per_key("theta", -4, 4).with("initial_state_imaginary", {1, 1, K, V}, -1, 1);
  Array imaginary({1, 1, K, V});
  call.inputs.emplace("final_state_imaginary", imaginary);
  call.run(variants::gateloop);
  const auto rate = [&](int t, int i) {
    return Complex(std::log(sigmoid(call.at("a", t, i))), call.at("theta", t, i));
  };
  const auto state = [&](int t, int i, int j) {  // behind token t
    Complex sum = 0, rates = 0;
    for (int s = t; s >= 0; --s) {
      sum += std::exp(rates) * call.at("k", s, i) * call.at("v", s, j);
      rates += rate(s, i);
    }
    const int at = i * V + j;
    return sum + std::exp(rates) * Complex(call.initial[at], call.inputs.at("initial_state_imaginary")[at]);
  };
  for (int t = 0; t < T; ++t)
    for (int j = 0; j < V; ++j) {
      double o = 0;
      for (int i = 0; i < K; ++i) o += call.q[t * K + i] * state(t, i, j).real();
      EXPECT_NEAR(call.o[t * V + j], o, 1e-13) << t;
    }
  for (int i = 0; i < K; ++i)
    for (int j = 0; j < V; ++j) {
      EXPECT_NEAR(call.final_state[i * V + j], state(T - 1, i, j).real(), 1e-13);
      EXPECT_NEAR(call.inputs.at("final_state_imaginary")[i * V + j], state(T - 1, i, j).imag(), 1e-13);
    }
}

// What is read by a value is a number for each key: S (I - c^T d), c and d of value columns, of the state decayed or as it was.
TEST(Transition, ValuesEraseByTheColumnsThatTheyRead) {
  const Variant apart = variant("apart")
                            .decay(per_value(input("gv")))
                            .value_erase(input("beta"))
                            .value_erase_read(input("c") * value())
                            .value_erase_write(input("d"))
                            .write_scale(1);
  for (const Variant& variant : {Variant(variants::gated_oja), apart, apart.erase_undecayed()}) {
    const bool is_apart = variant.has(Formula::value_erase_read);
    Call call;
    call.per_value("gv", -2, 0).per_head("beta", 0, 1);
    if (is_apart) call.per_value("c", 0, 1).per_value("d");
    call.run(variant);
    Matrix state(K, Row(V));
    for (int i = 0; i < K; ++i)
      for (int j = 0; j < V; ++j) state[i][j] = call.initial[i * V + j];
    for (int t = 0; t < T; ++t) {
      Row query(K);
      for (int i = 0; i < K; ++i) {
        double before = 0, decayed = 0;
        for (int j = 0; j < V; ++j) {
          const double by = call.at("v", t, j) * (is_apart ? call.at("c", t, j) : 1);
          before += state[i][j] * by;
          state[i][j] *= std::exp(call.at("gv", t, j));
          decayed += state[i][j] * by;
        }
        const double erased = call.at("beta", t) * (variant.erases_undecayed_ ? before : decayed),
                     written = call.at("k", t, i) * (is_apart ? 1 : call.at("beta", t));
        for (int j = 0; j < V; ++j)
          state[i][j] += written * call.at("v", t, j) - erased * call.at(is_apart ? "d" : "v", t, j);
        query[i] = call.q[t * K + i] / std::sqrt(K);
      }
      const Row o = product(query, state);
      for (int j = 0; j < V; ++j) EXPECT_NEAR(call.o[t * V + j], o[j], 1e-13) << t;
    }
    for (int i = 0; i < K; ++i)
      for (int j = 0; j < V; ++j) EXPECT_NEAR(call.final_state[i * V + j], state[i][j], 1e-13);
  }
}

// One sum over all tokens: each writes twice, the second time with the next one, and the call before wrote one more.
TEST(Transition, ALaggedWriteIsThatOfTheTokenBefore) {
  Call call;
  call.per_head("adt", -2, 0).per_head("dt", 0, 1).per_head("trap", -2, 2);
  call.with("initial_state_key", {1, 1, K}, -1, 1).with("initial_state_value", {1, 1, V}, -1, 1);
  call.inputs.emplace("final_state_key", Array({1, 1, K}));
  call.inputs.emplace("final_state_value", Array({1, 1, V}));
  call.run(variants::mamba3);
  const auto share = [&](int t) { return sigmoid(call.at("trap", t)); };
  const auto state = [&](int t, int i, int j) {  // behind token t
    double sum = 0, decay = 1;
    for (int s = t; s >= 0; --s) {
      sum += decay * share(s) * call.at("dt", s) * call.at("k", s, i) * call.at("v", s, j);
      decay *= std::exp(call.at("adt", s));
      const double before = s > 0 ? call.at("k", s - 1, i) * call.at("v", s - 1, j)
                                  : call.of("initial_state_key", i) * call.of("initial_state_value", j);
      sum += decay * (1 - share(s)) * call.at("dt", s) * before;
    }
    return sum + decay * call.initial[i * V + j];
  };
  for (int t = 0; t < T; ++t)
    for (int j = 0; j < V; ++j) {
      double o = 0;
      for (int i = 0; i < K; ++i) o += call.q[t * K + i] * state(t, i, j);
      EXPECT_NEAR(call.o[t * V + j], o, 1e-13) << t;
    }
  for (int i = 0; i < K; ++i) {
    for (int j = 0; j < V; ++j) EXPECT_NEAR(call.final_state[i * V + j], state(T - 1, i, j), 1e-13);
    EXPECT_EQ(call.of("final_state_key", i), call.at("k", T - 1, i));
  }
  for (int j = 0; j < V; ++j) EXPECT_EQ(call.of("final_state_value", j), call.at("v", T - 1, j));
}

TEST(Transition, GatesOfKeysThatEraseAndOfValuesThatAreWritten) {
  Call call;
  call.per_key("g", -2, 0).per_key("b", 0, 1).per_value("w", 0, 1);
  expect_agreement(call, variants::gdn2, [&](int t) {
    Token token = call.plain(t);
    Row decays(K), from(K);
    for (int i = 0; i < K; ++i) decays[i] = std::exp(call.at("g", t, i)), from[i] = call.at("b", t, i) * token.key[i];
    token.transition = erasure(token.key, from, 1, decays);
    for (int j = 0; j < V; ++j) token.value[j] *= call.at("w", t, j);
    return token;
  });
}

TEST(Transition, VectorsOfTheirOwnReadTheStateBeforeItDecays) {
  for (const auto& [variant, decay] :
       {std::pair(variants::rwkv7, "w"), std::pair(variants::dplr, "gk"), std::pair(variants::iplr, "")}) {
    Call call;
    call.per_key("a").per_key("b");
    const std::string name = decay;
    if (!name.empty()) call.per_key(name, -2, 0);
    expect_agreement(call, variant, [&](int t) {
      Token token = call.plain(t);
      for (int i = 0; i < K; ++i) {
        token.transition[i][i] = name.empty() ? 1 : std::exp(call.at(name, t, i));
        for (int j = 0; j < K; ++j) token.transition[i][j] += call.at("b", t, i) * call.at("a", t, j);
      }
      return token;
    });
  }
  Call call;
  call.per_head("g", -2, 0).per_head("beta", 0, 1).per_key("p");
  expect_agreement(call, variants::comba, [&](int t) {
    Token token = call.plain(t);
    for (int i = 0; i < K; ++i) {
      token.transition[i][i] = std::exp(call.at("g", t));
      for (int j = 0; j < K; ++j) token.transition[i][j] -= call.at("beta", t) * token.key[i] * call.at("p", t, j);
    }
    for (double& each : token.key) each *= call.at("beta", t);
    return token;
  });
}

TEST(Transition, BonusesStandInForATokensOwnWrite) {
  for (const Variant& variant : {variants::rwkv5, variants::rwkv6}) {
    const bool is_static = variant == variants::rwkv5;
    Call call;
    if (is_static)
      call.with("w", {1, K}, -2, 0);
    else
      call.per_key("w", -2, 0);
    call.with("u", {1, K}, -1, 1);
    expect_agreement(
        call, variant,
        [&](int t) {
          Token token = call.plain(t);
          for (int i = 0; i < K; ++i)
            token.transition[i][i] = std::exp(is_static ? call.of("w", i) : call.at("w", t, i));
          return token;
        },
        [&](const Row& query, const Matrix& before, const Matrix&, int t) {
          Matrix read = before;
          for (int i = 0; i < K; ++i)
            for (int j = 0; j < V; ++j) read[i][j] += call.of("u", i) * call.at("k", t, i) * call.at("v", t, j);
          return product(query, read);
        });
  }
}

TEST(Transition, ElementsOfTheStateDecayEachAtItsOwnPace) {
  Call outer;
  outer.per_key("a").per_value("b");
  expect_agreement(outer, variants::dfw, [&](int t) {
    Token token = outer.plain(t);
    for (int i = 0; i < K; ++i)
      for (int j = 0; j < V; ++j) token.factors[i][j] = sigmoid(outer.at("a", t, i)) * sigmoid(outer.at("b", t, j));
    return token;
  });
  Call scan;
  scan.per_value("dt").with("dt_bias", {1, V}, -1, 1).with("A_log", {1, K, V}, -1, 1).with("D", {1, V}, -1, 1);
  const auto step = [&](int t, int j) { return softplus(scan.at("dt", t, j) + scan.of("dt_bias", j)); };
  expect_agreement(
      scan, variants::mamba1,
      [&](int t) {
        Token token = scan.plain(t);
        for (int i = 0; i < K; ++i)
          for (int j = 0; j < V; ++j)
            token.factors[i][j] = std::exp(-std::exp(scan.of("A_log", i * V + j)) * step(t, j));
        for (int j = 0; j < V; ++j) token.value[j] *= step(t, j);
        return token;
      },
      [&](const Row& query, const Matrix&, const Matrix& after, int t) {
        Row read = product(query, after);
        for (int j = 0; j < V; ++j) read[j] += scan.of("D", j) * scan.at("v", t, j);
        return read;
      });
}

// All K keys are one: an output is K times what value columns add up to.
TEST(Transition, WithoutKeysAndQueriesValueColumnsAddUp) {
  Call call;
  call.per_value("g", -2, 0);
  expect_agreement(
      call, variants::hgrn,
      [&](int t) {
        Token token = call.plain(t);
        for (int i = 0; i < K; ++i) {
          token.key[i] = 1;
          for (int j = 0; j < V; ++j) token.factors[i][j] = std::exp(call.at("g", t, j));
        }
        return token;
      },
      [](const Row&, const Matrix&, const Matrix& after, int) { return product(Row(K, 1.0), after); });
}

TEST(Transition, ATemperedGateForgetsAndSelects) {
  Call call;
  call.per_key("x").per_key("t");
  expect_agreement(call, variants::rodimus, [&](int t) {
    Token token = call.plain(t);
    for (int i = 0; i < K; ++i) {
      const double gate = softplus(call.at("x", t, i)), temperature = sigmoid(call.at("t", t, i));
      token.transition[i][i] = std::exp(-gate * temperature);
      token.key[i] *= std::pow(gate, temperature);
    }
    return token;
  });
}

// Of values alone, exclusive, reversed, with a query of its own.
TEST(Transition, OtherReadsAndWalks) {
  for (const bool exclusive : {false, true})
    for (const bool reversed : {false, true}) {
      Variant variant = rankone::variant("other").decay(per_value(input("g"))).query(2 * query() - key());
      if (exclusive) variant = variant.exclusive();
      if (reversed) variant = variant.reversed();
      Call call;
      call.per_value("g", -2, 0);
      expect_agreement(
          call, variant,
          [&](int t) {
            Token token = call.plain(t);
            for (int i = 0; i < K; ++i)
              for (int j = 0; j < V; ++j) token.factors[i][j] = std::exp(call.at("g", t, j));
            return token;
          },
          [&](const Row& query, const Matrix& before, const Matrix& after, int t) {
            Row own = query;
            for (int i = 0; i < K; ++i) own[i] = 2 * query[i] - call.at("k", t, i) / std::sqrt(K);
            return product(own, exclusive ? before : after);
          });
    }
}

}  // namespace
