// SPDX-License-Identifier: MIT
// What the oracle refuses, and that it then writes nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

struct Refusal {
  const char* where;
  const char* given;
  std::function<void(ForwardArguments&)> change;
};

TEST(Refusals, SayWhereAndWhat) {
  std::mt19937 source(1);
  Array q = Array::random({1, 4, 2, 3}, source), k = q, v = Array::random({1, 4, 2, 5}, source), g = q,
        state({1, 2, 3, 5});
  std::vector<std::int64_t> decreasing = {0, 3, 2, 4}, overrun = {0, 5}, right = {0, 4};
  std::vector<std::int32_t> integers(100);
  const std::vector<Refusal> refusals = {
      {"q", "none", [](auto& a) { a.q = {}; }},
      {"k", "none", [](auto& a) { a.k = {}; }},
      {"v", "none", [](auto& a) { a.v = {}; }},
      {"g", "none", [](auto& a) { a.inputs.clear(); }},
      {"o", "neither o nor final_state", [](auto& a) { a.o = {}; }},
      {"q", "[1, 4, 6]",
       [&](auto& a) {
         a.q = Tensor(q.values.data(), dtype::f64, {1, 4, 6});
       }},
      {"k", "[1, 4, 1, 3]", [&](auto& a) { a.k.shape[2] = 1; }},
      {"g", "[1, 4, 2, 2]", [](auto& a) { a.inputs[0].tensor.shape[3] = 2; }},
      {"g", "i32",
       [&](auto& a) {
         a.inputs[0].tensor = Tensor(integers.data(), dtype::i32, {1, 4, 2, 3});
       }},
      {"o", "[1, 4, 2, 4]", [](auto& a) { a.o.shape[3] = 4; }},
      {"v", "HV=3, H=2", [](auto& a) { a.v.shape[2] = 3; }},
      {"initial_state", "[1, 2, 5, 3]",
       [&](auto& a) {
         a.initial_state = Tensor(state.values.data(), dtype::f64, {1, 2, 5, 3});
       }},
      {"gla, tensor 'cu_seqlens'", "cu_seqlens[2] = 2",
       [&](auto& a) { a.cu_seqlens = Tensor(decreasing.data(), dtype::i64, {4}); }},
      {"gla, tensor 'cu_seqlens'", "cu_seqlens[1] = 5",
       [&](auto& a) { a.cu_seqlens = Tensor(overrun.data(), dtype::i64, {2}); }},
      {"cu_seqlens", "f64[2]", [&](auto& a) { a.cu_seqlens = Tensor(right.data(), dtype::f64, {2}); }},
      {"cu_seqlens", "B=2",
       [&](auto& a) {
         a.cu_seqlens = Tensor(right.data(), dtype::i64, {2});
         for (Tensor* tensor : {&a.q, &a.k, &a.v, &a.o, &a.inputs[0].tensor})
           tensor->shape[0] = 2, tensor->shape[1] = 2;
       }},
  };
  for (const Refusal& refusal : refusals) {
    Array o({1, 4, 2, 5});
    ForwardArguments arguments{.q = q.tensor(), .k = k.tensor(), .v = v.tensor(), .inputs = {{"g", g.tensor()}}};
    arguments.o = o.tensor();
    refusal.change(arguments);
    try {
      oracle_forward(variants::gla, {.key_dim = 3, .value_dim = 5}, arguments);
      ADD_FAILURE() << refusal.where << " " << refusal.given << " is accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.where(), refusal.where);
      EXPECT_EQ(error.given(), refusal.given);
      EXPECT_FALSE(error.accepted().empty());
    }
    for (const double value : o.values) EXPECT_TRUE(std::isnan(value));
  }
}

TEST(Refusals, ScalarsAndVariants) {
  Array one({1, 1, 1, 1}, {1}), o = one;
  ForwardArguments arguments{.q = one.tensor(), .k = one.tensor(), .v = one.tensor()};
  arguments.o = o.tensor();
  arguments.scalars = {{"layer", 1}};
  EXPECT_THROW(oracle_forward(variants::lightning, {}, arguments), Error);  // no `layers`
  arguments.scalars.clear();
  EXPECT_THROW(oracle_forward(variant("not a name"), {}, arguments), Error);
  EXPECT_THROW(oracle_forward(variants::linear, {.key_dim = 2}, arguments), Error);
}

}  // namespace
