// SPDX-License-Identifier: MIT
// The oracle under every layout: strides, element types, grouped heads, packed sequences, both orders of the state.
#include <gtest/gtest.h>

#include <rankone/dsl.hpp>

#include "proof/oracle/oracle.hpp"
#include "runtime/convert.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

// A random call of gla with grouped heads, and its plain result.
struct Call {
  static constexpr std::int64_t B = 1, T = 9, H = 2, HV = 6, K = 3, V = 4;
  std::mt19937 source{5};
  Array q = Array::random({B, T, H, K}, source), k = Array::random({B, T, H, K}, source);
  Array v = Array::random({B, T, HV, V}, source), g = Array::random({B, T, HV, K}, source, -2, 0);
  Array initial_state = Array::random({B, HV, K, V}, source);
  Array o{{B, T, HV, V}}, final_state{{B, HV, K, V}};

  ForwardArguments arguments() {
    ForwardArguments result{.q = q.tensor(), .k = k.tensor(), .v = v.tensor(), .inputs = {{"g", g.tensor()}}};
    result.initial_state = initial_state.tensor();
    result.o = o.tensor();
    result.final_state = final_state.tensor();
    return result;
  }
};

TEST(Layout, ValueHeadsShareQueryAndKeyHeads) {
  Call call;
  oracle_forward(variants::gla, {}, call.arguments());
  // The same with every head written out.
  Array q({1, Call::T, Call::HV, Call::K}), k = q;
  for (std::int64_t t = 0; t < Call::T; ++t)
    for (std::int64_t j = 0; j < Call::HV; ++j)
      for (std::int64_t i = 0; i < Call::K; ++i) {
        q.at(0, t, j, i) = call.q.at(0, t, j / 3, i);
        k.at(0, t, j, i) = call.k.at(0, t, j / 3, i);
      }
  Array o(call.o.shape);
  ForwardArguments arguments = call.arguments();
  arguments.q = q.tensor(), arguments.k = k.tensor(), arguments.o = o.tensor();
  oracle_forward(variants::gla, {}, arguments);
  EXPECT_EQ(o.values, call.o.values);
}

TEST(Layout, InputsMayRunOverKeyHeads) {
  Call call;
  Array x = Array::random({1, Call::T, Call::H}, call.source), wide({1, Call::T, Call::HV});
  for (std::int64_t i = 0; i < Call::T * Call::HV; ++i) wide[i] = x[i / 3];
  Array bias = Array::random({Call::K}, call.source);
  const auto run = [&](const Variant& variant, Array& input) {
    ForwardArguments arguments = call.arguments();
    arguments.inputs = {{"x", input.tensor()}, {"bias", bias.tensor()}};
    oracle_forward(variant, {}, arguments);
    return call.o.values;
  };
  const auto with = [](Axes axes) {
    return variant("test").decay(per_key(log_sigmoid(input("x", axes) + param("bias", key_axis))));
  };
  EXPECT_EQ(run(with(head_axis), x), run(with(value_head_axis), wide));
}

TEST(Layout, StridesAreFree) {
  Call call;
  oracle_forward(variants::gla, {}, call.arguments());
  const std::vector<double> expected = call.o.values, expected_state = call.final_state.values;
  // v and o as [B, HV, V, T] in memory; gaps between the elements of the state.
  Array v({Call::T * Call::HV * Call::V}), o = v, state({Call::HV * Call::K * Call::V * 2});
  const auto transposed = [](std::int64_t t, std::int64_t i) { return i * Call::T + t; };
  for (std::int64_t t = 0; t < Call::T; ++t)
    for (std::int64_t i = 0; i < Call::HV * Call::V; ++i) v[transposed(t, i)] = call.v[t * Call::HV * Call::V + i];
  ForwardArguments arguments = call.arguments();
  const auto strided = [](Array& array) {
    return Tensor(array.values.data(), dtype::f64, {1, Call::T, Call::HV, Call::V}, {0, 1, Call::V * Call::T, Call::T});
  };
  arguments.v = strided(v), arguments.o = strided(o);
  arguments.final_state.data = state.values.data();
  for (auto& stride : arguments.final_state.strides) stride *= 2;
  oracle_forward(variants::gla, {}, arguments);
  for (std::int64_t t = 0; t < Call::T; ++t)
    for (std::int64_t i = 0; i < Call::HV * Call::V; ++i)
      EXPECT_EQ(o[transposed(t, i)], expected[static_cast<std::size_t>(t * Call::HV * Call::V + i)]);
  for (std::size_t i = 0; i < expected_state.size(); ++i) {
    EXPECT_EQ(state.values[2 * i], expected_state[i]);
    EXPECT_TRUE(std::isnan(state.values[2 * i + 1]));
  }
}

TEST(Layout, EveryElementTypeIsReadAndWritten) {
  for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32}) {
    Call call;
    std::vector<std::vector<std::byte>> memory;
    const auto narrow = [&](Array& array) {
      memory.emplace_back(array.values.size() * size_of(type));
      for (std::size_t i = 0; i < array.values.size(); ++i) {
        store(memory.back().data(), type, static_cast<std::int64_t>(i), array.values[i]);
        array.values[i] = load(memory.back().data(), type, static_cast<std::int64_t>(i));
      }
      return Tensor(memory.back().data(), type, array.shape);
    };
    ForwardArguments arguments = call.arguments();
    arguments.q = narrow(call.q), arguments.k = narrow(call.k), arguments.v = narrow(call.v);
    arguments.inputs[0].tensor = narrow(call.g);
    arguments.o = narrow(call.o);
    oracle_forward(variants::gla, {}, arguments);
    oracle_forward(variants::gla, {}, call.arguments());
    for (std::size_t i = 0; i < call.o.values.size(); ++i) {
      std::uint64_t rounded = 0;
      store(&rounded, type, 0, call.o.values[i]);
      EXPECT_EQ(load(arguments.o.data, type, static_cast<std::int64_t>(i)), load(&rounded, type, 0)) << name_of(type);
    }
  }
}

TEST(Layout, StatesMayBeValueMajor) {
  Call call;
  oracle_forward(variants::gla, {}, call.arguments());
  Array initial({1, Call::HV, Call::V, Call::K}), last = initial;
  for (std::int64_t j = 0; j < Call::HV; ++j)
    for (std::int64_t i = 0; i < Call::K; ++i)
      for (std::int64_t c = 0; c < Call::V; ++c) initial.at(0, j, c, i) = call.initial_state.at(0, j, i, c);
  const std::vector<double> expected = call.o.values;
  ForwardArguments arguments = call.arguments();
  arguments.initial_state = initial.tensor(), arguments.final_state = last.tensor();
  oracle_forward(variants::gla, {.value_major_state = true}, arguments);
  EXPECT_EQ(call.o.values, expected);
  for (std::int64_t j = 0; j < Call::HV; ++j)
    for (std::int64_t i = 0; i < Call::K; ++i)
      for (std::int64_t c = 0; c < Call::V; ++c) EXPECT_EQ(last.at(0, j, c, i), call.final_state.at(0, j, i, c));
}

// The tokens of `tensor` from `begin` on.
Tensor tokens(Tensor tensor, std::int64_t begin, std::int64_t count) {
  tensor.data = static_cast<double*>(tensor.data) + begin * tensor.strides[1];
  tensor.shape[1] = count;
  return tensor;
}

TEST(Layout, PackedSequencesAreSequencesOfTheirOwn) {
  Call call;
  std::vector<std::int64_t> boundaries = {0, 0, 4, 4, 9, 9};  // the first, one in the middle and the last are empty
  const std::int64_t sequences = 5;
  Array initial = Array::random({sequences, Call::HV, Call::K, Call::V}, call.source), last(initial.shape);
  ForwardArguments arguments = call.arguments();
  arguments.cu_seqlens = Tensor(boundaries.data(), dtype::i64, {sequences + 1});
  arguments.initial_state = initial.tensor(), arguments.final_state = last.tensor();
  oracle_forward(variants::gla, {}, arguments);

  const std::int64_t state_size = Call::HV * Call::K * Call::V;
  for (std::int64_t n = 0; n < sequences; ++n) {
    const std::int64_t begin = boundaries[static_cast<std::size_t>(n)];
    const std::int64_t count = boundaries[static_cast<std::size_t>(n + 1)] - begin;
    Array o({1, count, Call::HV, Call::V}), state({1, Call::HV, Call::K, Call::V});
    ForwardArguments alone = call.arguments();
    alone.q = tokens(alone.q, begin, count), alone.k = tokens(alone.k, begin, count);
    alone.v = tokens(alone.v, begin, count), alone.inputs[0].tensor = tokens(alone.inputs[0].tensor, begin, count);
    alone.initial_state.data = initial.values.data() + n * state_size;
    alone.o = o.tensor(), alone.final_state = state.tensor();
    oracle_forward(variants::gla, {}, alone);
    for (std::int64_t i = 0; i < count * Call::HV * Call::V; ++i)
      EXPECT_EQ(o[i], call.o[begin * Call::HV * Call::V + i]) << n;
    for (std::int64_t i = 0; i < state_size; ++i) {
      EXPECT_EQ(state[i], last[n * state_size + i]) << n;
      EXPECT_TRUE(count > 0 || state[i] == initial[n * state_size + i]) << n;
    }
  }
}

TEST(Layout, AStateCarriesAcrossASplit) {
  Call call;
  oracle_forward(variants::gla, {}, call.arguments());
  const std::vector<double> o = call.o.values, last = call.final_state.values;
  for (const auto& [begin, count] : {std::pair{0, 5}, std::pair{5, 4}}) {
    ForwardArguments part = call.arguments();
    for (Tensor* tensor : {&part.q, &part.k, &part.v, &part.o, &part.inputs[0].tensor})
      *tensor = tokens(*tensor, begin, count);
    if (begin > 0) part.initial_state = part.final_state;
    oracle_forward(variants::gla, {}, part);
  }
  EXPECT_EQ(call.o.values, o);
  EXPECT_EQ(call.final_state.values, last);
}

TEST(Layout, TheStateAloneNeedsNoQuery) {
  Call call;
  oracle_forward(variants::gla, {}, call.arguments());
  const std::vector<double> last = call.final_state.values;
  ForwardArguments arguments = call.arguments();
  arguments.q = {}, arguments.o = {};
  oracle_forward(variants::gla, {}, arguments);
  EXPECT_EQ(call.final_state.values, last);
}

// Large enough for several threads; head by head it is too small for them.
TEST(Layout, ThreadsChangeNothing) {
  constexpr std::int64_t tokens = 48, heads = 8, dim = 176;
  std::mt19937 source(3);
  Array q = Array::random({1, tokens, heads, dim}, source), k = Array::random(q.shape, source);
  Array v = Array::random(q.shape, source), g = Array::random(q.shape, source, -1, 0), o(q.shape), alone(q.shape);
  ForwardArguments arguments{.q = q.tensor(), .k = k.tensor(), .v = v.tensor(), .inputs = {{"g", g.tensor()}}};
  arguments.o = o.tensor();
  oracle_forward(variants::gla, {}, arguments);
  for (std::int64_t head = 0; head < heads; ++head) {
    const auto of_head = [&](Array& array) {
      return Tensor(array.values.data() + head * dim, dtype::f64, {1, tokens, 1, dim}, {0, heads * dim, dim, 1});
    };
    ForwardArguments one{.q = of_head(q), .k = of_head(k), .v = of_head(v), .inputs = {{"g", of_head(g)}}};
    one.o = of_head(alone);
    oracle_forward(variants::gla, {}, one);
  }
  EXPECT_EQ(o.values, alone.values);
}

TEST(Layout, NoTokensAtAll) {
  Array none({1, 0, 1, 2}), last({1, 1, 2, 2}), first({1, 1, 2, 2}, {1, 2, 3, 4});
  ForwardArguments arguments{.q = none.tensor(), .k = none.tensor(), .v = none.tensor()};
  arguments.initial_state = first.tensor(), arguments.o = none.tensor(), arguments.final_state = last.tensor();
  oracle_forward(variants::linear, {}, arguments);
  EXPECT_EQ(last.values, first.values);
}

}  // namespace
