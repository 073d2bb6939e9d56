// SPDX-License-Identifier: MIT
// The recurrent family on the CPU device: every catalogue variant and type, sizes, packings, heads, orders of the state,
// and every way to share the state among threads.
#include <cstdlib>

#include "codegen/space.hpp"
#include "proof/launch.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/stepping.hpp"
#include "tests/kernels/value_erasures.hpp"

namespace rankone::test {
namespace {

class RecurrentMatrix : public CaseTest {
 protected:
  void run(int key_dim, int value_dim, std::uint64_t seed) {
    const auto device_of = [](std::uint64_t each) { return cpu_device(each); };
    constexpr int any_length = 16;
    expect_right_at_all_lengths(GetParam(), device_of, key_dim, value_dim, any_length, seed);
  }
};

TEST_P(RecurrentMatrix, AgreesWithTheRecurrence) { run(24, 20, 10); }

TEST_P(RecurrentMatrix, AgreesAtOtherSizes) {
  RANKONE_SKIP_UNLESS_WHOLE();
  run(1, 1, 20);
  run(21, 75, 30);
  run(128, 32, 40);
  run(256, 16, 50);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, RecurrentMatrix, testing::ValuesIn(recurrent_cases()),
                         [](const auto& info) { return info.param.name(); });

INSTANTIATE_TEST_SUITE_P(Steps, RecurrentMatrix, testing::ValuesIn(stepping::cases()),
                         [](const auto& info) { return info.param.name(); });

INSTANTIATE_TEST_SUITE_P(ValueErasures, RecurrentMatrix, testing::ValuesIn(value_erasures::cases()),
                         [](const auto& info) { return info.param.name(); });

Problem problem_of(const Variant& variant, const CompileOptions& options, int tokens, std::uint64_t seed) {
  return random_problem(variant, options,
                        {.batch = 1,
                         .tokens = tokens,
                         .heads = 1,
                         .value_heads = 2,
                         .key_dim = options.key_dim,
                         .value_dim = options.value_dim},
                        {.seed = seed});
}

std::vector<HostTensor> outputs_of(const Operator& op, const Problem& problem) {
  Launch launch(op, problem, true);
  launch.poison();
  launch.run();
  return launch.outputs();
}

std::string refusal(const Variant& variant, const CompileOptions& options, Pass pass = Pass::forward) {
  try {
    const Operator op = compile(variant, options, cpu_device(1));
    if (pass != Pass::forward) (void)op.workspace_bytes({}, pass);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

class RecurrentTilings : public CaseTest {};

TEST_P(RecurrentTilings, AgreeWithEqualBitsOnEveryRun) {
  const Variant& variant = *GetParam().variant;
  CompileOptions options = options_of(GetParam(), 40, 36, 0);
  options.value_major_state = true;
  const std::vector<Schedule> schedules = legal_schedules(variant, options, "sm_80");
  // A warp has fewer threads than keys, and registers of few threads no room for both parts of a complex state; where there
  // is one tile, only warps differ, and one warp has no room for what float32 keeps of its roundings.
  const bool is_narrow = &variant == &with_row_sums || variant.is_complex();
  const std::size_t of_one_tile = options.dtype == dtype::f32 ? 3 : 4;
  EXPECT_GE(schedules.size(), &variant == &value_erasures::apart ? of_one_tile : is_narrow ? 9u : 10u);
  std::size_t number = 0;
  for (const Schedule& schedule : schedules) {
    if (!runs_in_turn(number++, 4)) continue;
    Problem problem = problem_of(variant, options, 9, 7);
    const Operator one = compile_schedule(variant, options, {schedule, "pinned"}, cpu_device(1)),
                   other = compile_schedule(variant, options, {schedule, "pinned"}, cpu_device(2));
    expect_right(one, problem, GetParam().name());
    const std::vector<HostTensor> first = outputs_of(one, problem), second = outputs_of(other, problem);
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].bytes, second[i].bytes) << first[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, RecurrentTilings,
                         testing::ValuesIn(cases_by_token(
                             {&variants::kda, &variants::dfw, &with_row_sums, &variants::linear_transformer,
                              &variants::mlstm, &variants::gateloop, &variants::mamba3, &value_erasures::apart})),
                         [](const auto& info) { return info.param.name(); });

// A key of a row that has no thread of its own adds to no sum, and a thread without a key neither.
TEST(Recurrent, SumsOverKeysAreRightAtEverySize) {
  for (const int key_dim : {1, 31, 40, 128, 200, 256})
    for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32}) {
      const CompileOptions options{.key_dim = key_dim, .value_dim = 20, .dtype = type};
      Problem problem = problem_of(with_row_sums, options, 9, 11);
      expect_right(compile(with_row_sums, options, cpu_device(1)), problem, "K = " + std::to_string(key_dim));
    }
  const CompileOptions few{
      .key_dim = 129, .value_dim = 16, .pins = {.family = Family::recurrent, .value_tile = 16, .warps = 4}};
  EXPECT_NE(refusal(with_row_sums, few).find("a sum over keys takes a thread for each of them, and there are 128"),
            std::string::npos)
      << refusal(with_row_sums, few);
}

// In float32 each element of the state keeps what an addition rounds away: errors do not grow with the sequence.
TEST(Recurrent, Float32KeepsItsDigitsOverLongSequences) {
  const CompileOptions options{
      .key_dim = 4, .value_dim = 4, .dtype = dtype::f32, .pins = {.family = Family::recurrent}};
  std::size_t number = 0;
  for (const Variant* variant : {&variants::linear, &variants::gla, &variants::gated_delta})
    for (const Inputs kind : {Inputs::random, Inputs::equal}) {
      if (!runs_in_turn(number++, 3)) continue;
      Problem problem = random_problem(
          *variant, options, {.batch = 1, .tokens = 16384, .heads = 1, .value_heads = 1, .key_dim = 4, .value_dim = 4},
          {.seed = 3, .kind = kind});
      std::vector<HostTensor> reference = reference_outputs(problem);
      for (const TensorError& error : verify(compile(*variant, options, cpu_device(1)), problem, reference))
        EXPECT_LE(error.relative_error, 2e-6) << variant->name.view() << " " << error.name << " " << name_of(kind);
    }
}

// Write scales from exp(-1000) to exp(1000) and nothing at all, beside decays that forget nothing, or everything. A maximum
// that decays is rounded, and with it the states' units: it stays small there.
TEST(Recurrent, ARunningMaximumKeepsWriteScalesInRange) {
  for (const dtype type : {dtype::bf16, dtype::f32})
    for (int kind = 0; kind < 6; ++kind) {
      const CompileOptions options{
          .key_dim = 12, .value_dim = 20, .dtype = type, .input_types = {{"i", dtype::f32}, {"f", dtype::f32}}};
      Problem problem = problem_of(variants::mlstm, options, 40, 7);
      if (kind % 2 == 0)
        std::erase_if(problem.tensors, [](const HostTensor& each) { return each.name.starts_with("initial"); });
      HostTensor &scale = *problem.find("i"), &decay = *problem.find("f");
      for (std::int64_t at = 0; at < scale.view().elements(); ++at) {
        const double u = draw(Distribution::uniform, 5, 1, static_cast<std::uint64_t>(at)), any = 2000 * u - 1000;
        const double scales[] = {1000, -1000, any, at % 14 < 3 ? -INFINITY : 3 * u, any, 16 * u};
        const double decays[] = {3 * u, 30, 30, u, at % 5 == 0 ? -INFINITY : 30, at % 3 == 0 ? -2000 : -8 * u};
        store(scale.bytes.data(), scale.type, at, scales[kind]);
        store(decay.bytes.data(), decay.type, at, decays[kind]);
      }
      for (const HostTensor& each : reference_outputs(problem))
        for (std::int64_t at = 0; at < each.view().elements(); ++at)
          ASSERT_TRUE(std::isfinite(load(each.bytes.data(), each.type, at))) << each.name;
      expect_right(compile(variants::mlstm, options, cpu_device(1)), problem, "kind " + std::to_string(kind));
    }
}

TEST(Recurrent, WhatHasNoFormInChunksSaysSo) {
  const auto with = [](const Pins& pins) { return CompileOptions{.key_dim = 32, .value_dim = 32, .pins = pins}; };
  EXPECT_EQ(refusal(variants::kda, with({})), "");
  const std::string pinned = refusal(variants::kda, with({.family = Family::portable}));
  EXPECT_NE(pinned.find("has no form in chunks for what is erased of the state"), std::string::npos) << pinned;
  EXPECT_NE(pinned.find("family=recurrent"), std::string::npos) << pinned;
  const std::string chunk = refusal(variants::kda, with({.chunk = 32}));
  EXPECT_NE(chunk.find("chunk"), std::string::npos) << chunk;
  const std::string query = refusal(variants::hgrn, with({.family = Family::portable}));
  EXPECT_NE(query.find("has no form in chunks for a query that is not made of q"), std::string::npos) << query;
  const std::string units = refusal(variants::mlstm, with({.family = Family::portable}));
  EXPECT_NE(units.find("has no form in chunks for a running maximum of write scales"), std::string::npos) << units;
  const std::string tile = refusal(variants::performer, with({.family = Family::recurrent, .value_tile = 4}));
  EXPECT_NE(tile.find("a normaliser takes four columns of each value tile"), std::string::npos) << tile;
  const std::string part = refusal(variants::gated_oja, with({.family = Family::recurrent, .value_tile = 16}));
  EXPECT_NE(part.find("what values erase takes a value tile of all columns"), std::string::npos) << part;
  const std::string wide = refusal(variants::kda, with({.family = Family::recurrent, .value_tile = 256}));
  EXPECT_NE(wide.find("value tiles beyond 128 are for variants whose values erase"), std::string::npos) << wide;
  const std::string sums = refusal(variants::performer, with({}), Pass::states);
  EXPECT_NE(sums.find("states are handed on and joined by decays alone, and this variant has a normaliser"),
            std::string::npos)
      << sums;
  const std::string states = refusal(variants::kda, with({}), Pass::states);
  EXPECT_NE(states.find("states are handed on and joined by decays alone"), std::string::npos) << states;
}

}  // namespace
}  // namespace rankone::test
