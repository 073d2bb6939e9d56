// SPDX-License-Identifier: MIT
// position() goes on where a call goes on: a sequence in two calls is the sequence in one.
#include "codegen/ports.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

constexpr Variant aging = variant("aging").decay(per_head(log_sigmoid(input("x")) - position() / 400)).checked();
constexpr Variant aging_keys =
    variant("aging_keys").decay(per_key(log_sigmoid(input("x")) - position() / 400)).checked();

TEST(Positions, PrefillAndWhatFollowsAreOneSequence) {
  constexpr int tokens = 200, first = 100, D = 32;
  std::vector<float> q(tokens * D), k(q), v(q), x(tokens, 1), whole(q), parts(q), state(D * D);
  for (std::size_t i = 0; i < q.size(); ++i) {
    const float at = static_cast<float>(i);
    q[i] = std::cos(at * 0.11f), k[i] = std::sin(at * 0.71f), v[i] = std::sin(at * 0.37f);
  }
  const Operator op =
      compile(aging, {.key_dim = D, .value_dim = D, .dtype = dtype::f32, .precision = Precision::f32}, cpu_device(1));
  const auto run = [&](std::vector<float>& o, int start, int count, Tensor before, Tensor starts, Tensor after) {
    const auto part = [&](std::vector<float>& all) {
      return Tensor(all.data() + start * D, dtype::f32, {1, count, 1, D});
    };
    op.forward({.q = part(q),
                .k = part(k),
                .v = part(v),
                .inputs = {{"x", Tensor(x.data() + start, dtype::f32, {1, count, 1})}},
                .initial_state = before,
                .start_positions = starts,
                .o = part(o),
                .final_state = after});
  };
  const Tensor s(state.data(), dtype::f32, {1, 1, D, D});
  std::int64_t start = first;
  run(whole, 0, tokens, {}, {}, {});
  run(parts, 0, first, {}, {}, s);
  run(parts, first, tokens - first, s, Tensor(&start, dtype::i64, {1}), {});
  float worst = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) worst = std::max(worst, std::abs(whole[i] - parts[i]));
  EXPECT_LE(worst, 1e-5f);
  try {
    run(parts, first, tokens - first, s, {}, {});
    ADD_FAILURE() << "a state without its position is accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("tensor 'start_positions': the tensor is missing"), std::string::npos)
        << error.what();
  }
}

// Against the recurrence, every sequence from a start of its own.
TEST(Positions, StartAnywhereInBothFamilies) {
  for (const Variant* variant : {&aging, &aging_keys})
    for (const Family family : {Family::portable, Family::hopper})
      for (const bool packed : {false, true}) {
        const CompileOptions options{.key_dim = 64, .value_dim = 64, .pins = {.family = family, .chunk = 32}};
        const Dims dims{.batch = packed ? 1 : 2,
                        .tokens = 70,
                        .heads = 1,
                        .value_heads = 1,
                        .key_dim = 64,
                        .value_dim = 64,
                        .sequences = packed ? 1 : 2};
        Problem problem = random_problem(*variant, options, dims, {.seed = 3, .packed = packed});
        ASSERT_NE(problem.find("start_positions"), nullptr);
        expect_right(compile(*variant, options, cpu_device(3)), problem,
                     std::string(variant->name.view()) + (packed ? " packed" : ""));
      }
}

TEST(Positions, AreNoPortOfOthers) {
  EXPECT_EQ(find_port(ports(variants::gla, {}), "start_positions"), nullptr);
  EXPECT_NE(find_port(ports(aging, {}, Pass::states), "start_positions"), nullptr);
}

}  // namespace
}  // namespace rankone::test
