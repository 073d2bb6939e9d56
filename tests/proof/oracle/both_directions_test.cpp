// SPDX-License-Identifier: MIT
// The oracle of bidirectional variants: what a causal variant and an exclusive reversed one read, added up.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <rankone/dsl.hpp>

#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

constexpr std::int64_t B = 2, T = 9, K = 3, V = 2;

struct Outputs {
  Array o{{B, T, 1, V}}, up{{B, 1, K, V}}, down{{B, 1, K, V}};
};

class BothDirections : public testing::Test {
 protected:
  std::mt19937 source{8};
  Array q = Array::random({B, T, 1, K}, source), k = Array::random({B, T, 1, K}, source),
        v = Array::random({B, T, 1, V}, source), g = Array::random({B, T, 1, K}, source, -2, 0),
        beta = Array::random({B, T, 1}, source, 0, 1), first = Array::random({B, 1, K, V}, source),
        last = Array::random({B, 1, K, V}, source);

  ForwardArguments arguments() {
    return {.q = q.tensor(), .k = k.tensor(), .v = v.tensor(), .inputs = {{"g", g.tensor()}, {"beta", beta.tensor()}}};
  }
  // Of one direction, from its own state.
  Array one_way(const Variant& variant, Array& initial, Array& final_state) {
    Array o({B, T, 1, V});
    ForwardArguments given = arguments();
    given.initial_state = initial.tensor();
    given.o = o.tensor();
    given.final_state = final_state.tensor();
    oracle_forward(variant, {}, given);
    return o;
  }
};

TEST_F(BothDirections, AddTwoWalksThatReadEachTokenOnce) {
  for (const Variant& variant : {variants::kda, variants::gla}) {
    Outputs both;
    ForwardArguments given = arguments();
    given.initial_state = first.tensor();
    given.inputs.push_back({"initial_state_reversed", last.tensor()});
    given.inputs.push_back({"final_state_reversed", both.down.tensor()});
    given.o = both.o.tensor();
    given.final_state = both.up.tensor();
    oracle_forward(variant.bidirectional(), {}, given);
    Outputs expected;
    Array up = one_way(variant, first, expected.up),
          down = one_way(variant.exclusive().reversed(), last, expected.down);
    for (std::size_t i = 0; i < up.values.size(); ++i)
      EXPECT_NEAR(both.o.values[i], up.values[i] + down.values[i], 1e-14) << variant.name.view();
    EXPECT_EQ(both.up.values, expected.up.values);
    EXPECT_EQ(both.down.values, expected.down.values);
  }
}

// Without decays every token is read by every query, once: the mirror image has mirrored outputs.
TEST_F(BothDirections, AreAlike) {
  const Variant variant = rankone::variant("plain").bidirectional();
  Array o({B, T, 1, V}), mirrored({B, T, 1, V});
  ForwardArguments given = arguments();
  given.o = o.tensor();
  oracle_forward(variant, {}, given);
  const auto mirror = [](Array& array) {
    const std::int64_t row = array.shape[3];
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t t = 0; t < T / 2; ++t)
        for (std::int64_t i = 0; i < row; ++i)
          std::swap(array[(b * T + t) * row + i], array[(b * T + T - 1 - t) * row + i]);
  };
  for (Array* array : {&q, &k, &v}) mirror(*array);
  given.o = mirrored.tensor();
  oracle_forward(variant, {}, given);
  mirror(mirrored);
  for (std::size_t i = 0; i < o.values.size(); ++i) EXPECT_NEAR(o.values[i], mirrored.values[i], 1e-13);
}

}  // namespace
