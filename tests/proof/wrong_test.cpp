// SPDX-License-Identifier: MIT
// Wrong kernels are found: off by little more than the bound, in one row, one chunk, one token's decay, or only after long.
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include <rankone/compile.hpp>
#include <rankone/dsl.hpp>

#include "proof/launch.hpp"
#include "proof/verify.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

const Dims dims{.batch = 1, .tokens = 150, .heads = 2, .value_heads = 2, .key_dim = 64, .value_dim = 64};
constexpr const Variant& simple_gla = variants::simple_gla;

void multiply(HostTensor& tensor, std::int64_t first, std::int64_t count, double factor) {
  for (std::int64_t i = first; i < first + count; ++i)
    store(tensor.bytes.data(), tensor.type, i, factor * load(tensor.bytes.data(), tensor.type, i));
}

// A kernel that computes something else than it is asked, and writes something else than it computed.
struct Wrong {
  std::function<void(Problem&)> before = [](Problem&) {};
  std::function<void(std::vector<HostTensor>&)> after = [](std::vector<HostTensor>&) {};
};
std::vector<TensorError> judged(const Wrong& wrong, const CompileOptions& options) {
  const Operator op = compile(simple_gla, options, Device::cpu());
  const auto run = [&](const Problem& asked) {
    Problem problem = asked;
    wrong.before(problem);
    Launch launch(op, problem, true);
    launch.poison();
    launch.run();
    std::vector<HostTensor> results = launch.outputs();
    wrong.after(results);
    return results;
  };
  return verify(run, [&](int i) { return random_problem(simple_gla, options, dims, {.seed = seed_of_draw(3, i)}); })
      .tensors;
}
CompileOptions options_of(dtype type) { return {.key_dim = 64, .value_dim = 64, .dtype = type}; }

constexpr std::int64_t row = 64, token = 2 * row;

class WrongKernel : public testing::TestWithParam<dtype> {
 protected:
  const CompileOptions options = options_of(GetParam());
  bool is_found(const Wrong& wrong, std::size_t tensor) const { return !judged(wrong, options)[tensor].ok; }
};

TEST_P(WrongKernel, OtherwiseIsRight) {
  for (const TensorError& each : judged({}, options)) EXPECT_TRUE(each.ok) << each.name << " " << each.relative_error;
}

// A row may be off by five bounds, of which bf16 has 1.6e-2.
TEST_P(WrongKernel, IsFoundByOneRow) {
  const double off = GetParam() == dtype::bf16 ? 0.02 : 0.01;
  EXPECT_TRUE(is_found({.after = [&](auto& results) { multiply(results[0], 70 * token, row, 1 + off); }}, 0));
}

TEST_P(WrongKernel, IsFoundByAChunkWhoseStateIsLost) {
  const auto lose = [](Problem& problem) { multiply(*problem.find("k"), 64 * token, 64 * token, 0); };
  EXPECT_TRUE(is_found({.before = lose}, 0));
  const auto lose_last = [](Problem& problem) { multiply(*problem.find("k"), 134 * token, 16 * token, 0); };
  EXPECT_TRUE(is_found({.before = lose_last}, 1));
}

TEST_P(WrongKernel, IsFoundByOneTokensDecay) {
  const auto wrong = [](Problem& problem) { multiply(*problem.find("g"), 100 * 2 + 1, 1, 1.1); };
  EXPECT_TRUE(is_found({.before = wrong}, 0));
}

// Together with what it is off by itself.
TEST_P(WrongKernel, IsFoundByLittleMoreThanTheBound) {
  const std::vector<TensorError> own = judged({}, options);
  for (const double share : {0.85, 1.15}) {
    const auto scale = [&](std::vector<HostTensor>& results) {
      for (std::size_t i = 0; i < results.size(); ++i)
        multiply(results[i], 0, product(results[i].shape),
                 1 + std::sqrt(std::pow(share * own[i].bound, 2) - std::pow(own[i].relative_error, 2)));
    };
    // The state alone, which is stored in float32: `o` is rounded again.
    EXPECT_EQ(is_found({.after = scale}, 1), share > 1) << share;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, WrongKernel, testing::Values(dtype::bf16, dtype::f16, dtype::f32),
                         [](const auto& info) { return std::string(name_of(info.param)); });

// The recurrence in float32 as one would write it down: a state that forgets what its roundings lose.
std::vector<HostTensor> in_float32(const Problem& problem) {
  const Dims& d = problem.dims;
  const auto at = [&](const char* name, std::int64_t i) {
    const auto found = std::ranges::find(problem.tensors, std::string_view(name), &HostTensor::name);
    return static_cast<float>(load(found->bytes.data(), found->type, i));
  };
  HostTensor o = make_tensor("o", dtype::f32, {1, d.tokens, 1, d.value_dim}),
             final_state = make_tensor("final_state", dtype::f32, {1, 1, d.key_dim, d.value_dim});
  std::vector<float> state(static_cast<std::size_t>(d.key_dim * d.value_dim), 0.0f);
  for (std::int64_t t = 0; t < d.tokens; ++t) {
    const float decay = std::exp(at("g", t));
    for (std::int64_t v = 0; v < d.value_dim; ++v) {
      double sum = 0;
      for (std::int64_t k = 0; k < d.key_dim; ++k) {
        float& s = state[static_cast<std::size_t>(k * d.value_dim + v)];
        s = s * decay + at("k", t * d.key_dim + k) * at("v", t * d.value_dim + v);
        sum += static_cast<double>(at("q", t * d.key_dim + k)) * s;
      }
      store(o.bytes.data(), o.type, t * d.value_dim + v, sum / std::sqrt(static_cast<double>(d.key_dim)));
    }
  }
  for (std::size_t i = 0; i < state.size(); ++i)
    store(final_state.bytes.data(), dtype::f32, static_cast<std::int64_t>(i), state[i]);
  return {o, final_state};
}

TEST(Drift, IsFoundByEqualTokensAlone) {
  const Dims long_one{.tokens = 4096, .key_dim = 4, .value_dim = 4};
  const CompileOptions options{.key_dim = 4,
                               .value_dim = 4,
                               .dtype = dtype::f32,
                               .input_types = {{"g", dtype::f32}},
                               .precision = Precision::f32};
  for (const Inputs kind : {Inputs::random, Inputs::equal}) {
    const auto draw = [&](int i) {
      return random_problem(simple_gla, options, long_one,
                            {.seed = seed_of_draw(1, i), .initial_state = false, .kind = kind});
    };
    for (const TensorError& each : verify(in_float32, draw).tensors)
      EXPECT_EQ(each.ok, kind == Inputs::random)
          << name_of(kind) << " " << each.name << " is off by " << each.relative_error << ", bound " << each.bound;
  }
}

}  // namespace
}  // namespace rankone
