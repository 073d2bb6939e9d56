// SPDX-License-Identifier: MIT
// Problems in float16 where float16 itself would not do: states, scores, write scales and queries far above and below
// what it holds.
#pragma once

#include <functional>

#include "tests/kernels/cases.hpp"

namespace rankone::test {

using Change = std::function<double(std::int64_t token, double drawn, std::int64_t column)>;

// Each element anew, from the number that was drawn and its token.
inline void change(Problem& problem, const char* name, const Change& to) {
  HostTensor& tensor = *problem.find(name);
  const std::int64_t tokens = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
  std::int64_t row = 1;
  for (std::size_t axis = 2; axis < tensor.shape.size(); ++axis) row *= tensor.shape[axis];
  const auto elements = static_cast<std::int64_t>(tensor.bytes.size() / size_of(tensor.type));
  for (std::int64_t i = 0; i < elements; ++i)
    store(tensor.bytes.data(), tensor.type, i,
          to(i / row % tokens, load(tensor.bytes.data(), tensor.type, i), i % tensor.shape.back()));
}
inline Change times(double factor) {
  return [factor](std::int64_t, double drawn, std::int64_t) { return factor * drawn; };
}
// Of one sign, about `size`.
inline Change about(double size) {
  return [size](std::int64_t, double drawn, std::int64_t) { return size * (1 + 0.1 * drawn); };
}
inline Change all(double value) {
  return [value](std::int64_t, double, std::int64_t) { return value; };
}

struct Extreme {
  const char* name;
  const Variant* variant;
  double scale;
  std::vector<std::pair<const char*, Change>> changes;
  rankone::dtype type = dtype::f16;
  friend void PrintTo(const Extreme& extreme, std::ostream* out) { *out << extreme.name; }
};

// softplus(x) = step
inline double logit_of(double step) { return step > 30 ? step : std::log(std::expm1(step)); }
inline Change write_scale(double step) { return all(logit_of(step)); }
inline constexpr std::int64_t middle = 150;  // of 300 tokens

inline const Extreme extremes[] = {
    {"large_states", &variants::linear, 1e-5, {{"k", about(30)}, {"v", about(30)}}},
    {"large_decaying_states", &variants::simple_gla, 1e-5, {{"k", about(300)}, {"v", about(30)}, {"g", times(0.01)}}},
    {"large_states_per_key", &variants::gla, 1e-5, {{"k", about(30)}, {"v", about(30)}, {"g", times(0.001)}}},
    {"large_scores", &variants::linear, 1e-6, {{"q", about(60)}, {"k", about(60)}}},
    {"large_decaying_scores", &variants::retnet, 1e-6, {{"q", about(60)}, {"k", about(60)}}},
    {"large_scores_per_key", &variants::gla_sigmoid, 1e-6, {{"q", about(60)}, {"k", about(60)}}},
    {"largest_inputs", &variants::simple_gla, 1e-16, {{"q", about(4e4)}, {"k", about(4e4)}, {"v", about(4e4)}}},
    {"largest_inputs_per_key", &variants::gla, 1e-16, {{"q", about(4e4)}, {"k", about(4e4)}, {"v", about(4e4)}}},
    {"small_inputs", &variants::linear, 1e6, {{"q", times(1e-3)}, {"k", times(1e-3)}, {"v", times(1e-3)}}},
    {"small_decaying_inputs", &variants::simple_gla, 1e6, {{"q", times(1e-3)}, {"k", times(1e-3)}, {"v", times(1e-3)}}},
    {"small_inputs_per_key", &variants::gla, 1e6, {{"q", times(1e-3)}, {"k", times(1e-3)}, {"v", times(1e-3)}}},
    {"least_inputs", &variants::simple_gla, 1e4, {{"k", times(300)}, {"v", times(1e-5)}}},
    {"least_inputs_per_key", &variants::gla, 1e8, {{"q", times(1e-5)}, {"k", times(1e-5)}, {"v", times(300)}}},
    {"small_write_scales", &variants::mamba2, 1e4, {{"dt", write_scale(1e-6)}, {"dt_bias", all(0)}}},
    {"large_write_scales",
     &variants::mamba2,
     1e-6,
     {{"dt", write_scale(1e4)}, {"dt_bias", all(0)}, {"A_log", all(-12)}}},
    {"write_scales_of_both_kinds",
     &variants::mamba2,
     1e-6,
     {{"dt", [](std::int64_t token, double, std::int64_t) { return logit_of(token / 50 % 2 == 0 ? 1e-5 : 1e4); }},
      {"dt_bias", all(0)},
      {"A_log", all(-14)}}},
    {"large_queries_under_strong_decays", &variants::gla, 1e-3, {{"q", times(1e3)}, {"g", times(3)}}},
    {"large_queries_under_decays", &variants::gla, 1e-3, {{"q", times(1e3)}, {"g", times(0.7)}}},
    {"small_keys_of_slow_gates",
     &variants::hgrn2,
     30,
     {{"x", [](std::int64_t, double drawn, std::int64_t) { return 7 + 0.3 * drawn; }}}},
    // Half a span takes some of the keys to just above 2^-60, some to just below, and leaves the others.
    {"near_and_far",
     &variants::gla,
     1,
     {{"g",
       [](std::int64_t, double, std::int64_t column) {
         constexpr double limit = -60 * 0.693147 / 16;
         return column % 4 == 0 ? 1.01 * limit : column % 4 == 1 ? 0.99 * limit : -1e-4;
       }}}},
    // What follows a reset is small, and all that the final state holds.
    {"small_after_large",
     &variants::simple_gla,
     1e-6,
     {{"k", about(1e3)},
      {"v", [](std::int64_t token, double drawn,
               std::int64_t) { return token < middle ? 1e3 * (2 + drawn) : 1e-4 * drawn; }},
      {"g", [](std::int64_t token, double drawn, std::int64_t) { return token == middle ? -1000 : 0.01 * drawn; }}}},
    {"small_after_large_per_key",
     &variants::gla,
     1e-6,
     {{"k", [](std::int64_t token, double drawn,
               std::int64_t) { return token < middle ? 1e3 * (2 + drawn) : 1e-4 * drawn; }},
      {"v", about(1e3)},
      {"g", [](std::int64_t token, double drawn, std::int64_t) { return token == middle ? -1000 : 0.01 * drawn; }}}},
    {"large_after_small",
     &variants::simple_gla,
     1e-6,
     {{"k", about(1e3)},
      {"v", [](std::int64_t token, double drawn, std::int64_t) { return (token < middle ? 1e-4 : 1e3) * drawn; }}}},
    {"large_after_small_per_key",
     &variants::gla,
     1e-6,
     {{"k", [](std::int64_t token, double drawn, std::int64_t) { return (token < middle ? 1e-4 : 1e3) * drawn; }}}},
};

// And in bf16, which has float32's range: the ends of what queries and keys may be where decays between them are strong
// (docs/declaring.md).
inline const Change strong_decays = all(-2.5);
inline const Extreme wide_extremes[] = {
    {"large_queries_of_small_keys",
     &variants::gla,
     1,
     {{"q", times(1e18)}, {"k", times(1e-18)}, {"g", strong_decays}},
     dtype::bf16},
    {"largest_queries", &variants::gla, 1e-18, {{"q", times(1e18)}, {"g", strong_decays}}, dtype::bf16},
    {"smallest_keys", &variants::gla, 1e18, {{"k", times(1e-18)}, {"g", strong_decays}}, dtype::bf16},
    {"keys_among_zeros",
     &variants::gla,
     1,
     {{"k", [](std::int64_t token, double drawn, std::int64_t) { return token % 3 == 0 ? drawn : 0.0; }},
      {"g", strong_decays}},
     dtype::bf16},
};

inline void expect_right_at(const Extreme& extreme, const Device& device) {
  struct Way {
    Level level;
    int chunk, key_dim;
  };
  for (const auto& [level, chunk, key_dim] :
       {Way{Level::serial, 32, 64}, Way{Level::serial, 64, 128}, Way{Level::segment, 32, 64}}) {
    const CompileOptions options{.key_dim = key_dim,
                                 .value_dim = 64,
                                 .dtype = extreme.type,
                                 .pins = {.family = Family::hopper, .level = level, .chunk = chunk}};
    Problem problem = random_problem(
        *extreme.variant, options,
        {.batch = 1, .tokens = 2 * middle, .heads = 1, .value_heads = 1, .key_dim = key_dim, .value_dim = 64},
        {.seed = 7, .initial_state = false});
    problem.scale = extreme.scale;
    for (const auto& [name, to] : extreme.changes) change(problem, name, to);
    expect_right(compile(*extreme.variant, options, device), problem, extreme.name);
  }
}

}  // namespace rankone::test
