// SPDX-License-Identifier: MIT
// Long sequences of equal inputs under weak decays: every rounding errs the same way, so that errors add up instead of
// averaging out.
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/extremes.hpp"

namespace rankone::test {
namespace {

constexpr Variant weak_constant = variant("weak_constant").decay(constant(-scalar("rate"))).checked();

struct Drift {
  const char* name;
  const Variant* variant;
  Numbers numbers;
  Family family;
  Level level;
  double log_decay, bound;
  int dim = 16, tokens = 4096;
  friend void PrintTo(const Drift& drift, std::ostream* out) { *out << drift.name; }
};

constexpr Variant quotient = variant("quotient").decay(per_head(input("g"))).normalised(1).checked();
constexpr Variant quotient_of_keys = variant("quotient_of_keys").decay(per_key(input("g"))).normalised(1).checked();

constexpr Numbers f32_numbers{"f32", dtype::f32, Precision::f32};
const Drift drifts[] = {
    {"constant", &weak_constant, f32_numbers, Family::portable, Level::serial, -1e-4, 4e-7},
    {"constant_weaker", &weak_constant, f32_numbers, Family::portable, Level::serial, -1e-5, 4e-7},
    {"constant_long", &weak_constant, f32_numbers, Family::portable, Level::serial, -3e-6, 9e-7, 16, 32768},
    {"per_key_long", &variants::gla, f32_numbers, Family::portable, Level::serial, -3e-6, 9e-7, 16, 32768},
    {"per_head", &variants::simple_gla, f32_numbers, Family::portable, Level::serial, -1e-4, 4e-7},
    {"per_head_between", &variants::simple_gla, f32_numbers, Family::portable, Level::serial, -7.3e-4, 4e-7},
    {"per_head_in_chunks", &variants::simple_gla, f32_numbers, Family::portable, Level::chunk, -1e-4, 4e-7},
    {"per_key", &variants::gla, f32_numbers, Family::portable, Level::serial, -1e-4, 4e-7},
    {"per_key_in_chunks", &variants::gla, f32_numbers, Family::portable, Level::chunk, -1e-4, 4e-7},
    {"normalised", &quotient, f32_numbers, Family::portable, Level::serial, -1e-4, 4e-7},
    {"normalised_long", &quotient, f32_numbers, Family::portable, Level::serial, -3e-6, 9e-7, 16, 32768},
    {"normalised_per_key", &quotient_of_keys, f32_numbers, Family::portable, Level::chunk, -1e-4, 4e-7},
    {"hopper_per_head", &variants::simple_gla, bf16_numbers, Family::hopper, Level::serial, -1e-4, 3.2e-3, 64},
    {"hopper_per_key", &variants::gla, bf16_numbers, Family::hopper, Level::serial, -1e-4, 3.2e-3, 64},
};

class Drifting : public testing::TestWithParam<Drift> {};

TEST_P(Drifting, StaysWithinTheBound) {
  const Drift& drift = GetParam();
  const int dim = drift.dim;
  CompileOptions options{.key_dim = dim,
                         .value_dim = dim,
                         .dtype = drift.numbers.type,
                         .precision = drift.numbers.precision,
                         .pins = {.family = drift.family, .level = drift.level, .chunk = 64}};
  if (drift.variant != &weak_constant) options.input_types = {{"g", dtype::f32}};
  RandomInputs inputs{.seed = 1, .initial_state = false};
  if (drift.variant == &weak_constant) inputs.scalars = {{"rate", -drift.log_decay}};
  Problem problem = random_problem(
      *drift.variant, options,
      {.batch = 1, .tokens = drift.tokens, .heads = 1, .value_heads = 1, .key_dim = dim, .value_dim = dim}, inputs);
  for (const char* name : {"q", "k", "v"}) change(problem, name, all(1));
  if (problem.find("g") != nullptr) change(problem, "g", all(drift.log_decay));
  std::vector<HostTensor> reference = reference_outputs(problem);
  for (const TensorError& error : verify(compile(*drift.variant, options, cpu_device(1)), problem, reference))
    EXPECT_LE(error.relative_error, drift.bound) << error.name;
}

INSTANTIATE_TEST_SUITE_P(Decays, Drifting, testing::ValuesIn(drifts),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace rankone::test
