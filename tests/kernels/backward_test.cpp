// SPDX-License-Identifier: MIT
// The backward pass of the recurrent family on the CPU device: gradients of every catalogue variant and type against the
// oracle's, over sizes, packings, heads, layouts and every way to share the state among threads.
#include "codegen/family.hpp"
#include "codegen/kernels.hpp"
#include "runtime/cpu/device.hpp"
#include "templates/recurrent/backward_layout.cuh"
#include "tests/kernels/backward_calls.hpp"
#include "tests/kernels/stepping.hpp"
#include "tests/kernels/value_erasures.hpp"

namespace rankone::test {
namespace {

class BackwardMatrix : public CaseTest {
 protected:
  // Lengths around a step and a run, then one packing with empty sequences; three value heads a key head.
  void run(int key_dim, int value_dim, std::uint64_t seed) {
    const Case& c = GetParam();
    const CompileOptions options = options_of(c, key_dim, value_dim, 0);
    const auto expect_one = [&](std::int64_t batch, std::int64_t tokens, bool packed, bool spread) {
      ++seed;
      const Dims dims{.batch = batch,
                      .tokens = tokens,
                      .heads = 1,
                      .value_heads = 3,
                      .key_dim = options.key_dim,
                      .value_dim = value_dim,
                      .sequences = batch};
      BackwardProblem call(
          random_problem(*c.variant, options, dims, {.seed = seed, .initial_state = tokens != 5, .packed = packed}),
          seed, tokens != 4);
      if (spread) spread_gates(call.problem, seed);
      expect_right_gradients(
          compile(*c.variant, options, cpu_device(seed)), call,
          c.name() + " " + to_string(dims) + (packed ? " packed" : "") + " seed " + std::to_string(seed));
    };
    // A token, a span and one more, a group and one more, a run and one more.
    for (const int tokens : {1, 4, 5, 16, 17, 65}) expect_one(2, tokens, false, false);
    expect_one(1, 150, true, false);
    expect_one(1, 40, false, true);
  }
};

TEST_P(BackwardMatrix, AgreesWithTheOracle) { run(12, 20, 10); }

TEST_P(BackwardMatrix, AgreesAtOtherSizes) {
  RANKONE_SKIP_UNLESS_WHOLE();
  const Variant& variant = *GetParam().variant;
  // Of one key a quotient depends on the query by its epsilon alone: dq would be what rounding leaves.
  run(is_normalised(variant) ? 3 : 1, 1, 20);
  // Pairs of 21 keys are more features than a block has room for with their slopes.
  const bool has_pairs =
      variant.has(Formula::feature_map) && reads(variant.formula(Formula::feature_map), Operation::other);
  run(has_pairs ? 16 : 21, 75, 30);
  run(128, 16, 40);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, BackwardMatrix, testing::ValuesIn(recurrent_cases()),
                         [](const auto& info) { return info.param.name(); });

INSTANTIATE_TEST_SUITE_P(Steps, BackwardMatrix, testing::ValuesIn(stepping::cases()),
                         [](const auto& info) { return info.param.name(); });

INSTANTIATE_TEST_SUITE_P(ValueErasures, BackwardMatrix, testing::ValuesIn(value_erasures::cases()),
                         [](const auto& info) { return info.param.name(); });

// Tokens that are in no sequence have gradients that nobody writes, and no sequences at all none but the parameters'.
TEST(Backward, LeavesTokensAloneThatAreInNoSequence) {
  const CompileOptions options{.key_dim = 12, .value_dim = 20, .dtype = dtype::f32};
  const Operator op = compile(variants::kda, options, cpu_device(3));
  const std::vector<std::vector<std::int64_t>> packings = {{3, 40, 40, 90}, {0, 70}, {50}};
  for (const std::vector<std::int64_t>& boundaries : packings) {
    Problem problem =
        random_problem(variants::kda, options,
                       {.batch = 1, .tokens = 100, .heads = 1, .value_heads = 2, .key_dim = 12, .value_dim = 20},
                       {.seed = 4, .initial_state = false, .boundaries = {0, 100}});
    HostTensor& offsets = *problem.find("cu_seqlens");
    offsets = make_tensor("cu_seqlens", dtype::i64, {static_cast<std::int64_t>(boundaries.size())});
    std::memcpy(offsets.bytes.data(), boundaries.data(), offsets.bytes.size());
    problem.dims.sequences = static_cast<std::int64_t>(boundaries.size()) - 1;
    BackwardProblem call(std::move(problem), 4, false);
    const std::vector<NamedOracleTensor> expected = reference_gradients(call);
    for (const HostTensor& each : gradients_of(op, call)) {
      if (each.name == "dinitial_state") continue;
      const auto elements = static_cast<std::int64_t>(each.bytes.size() / size_of(each.type)), row = elements / 100;
      const auto& truth = std::ranges::find(expected, each.name, &NamedOracleTensor::name)->tensor.values;
      for (std::int64_t i = 0; i < elements; ++i) {
        const double value = load(each.bytes.data(), each.type, i);
        if (i / row >= boundaries.front() && i / row < boundaries.back())
          ASSERT_NEAR(value, truth[static_cast<std::size_t>(i)], 1e-4) << each.name;
        else
          ASSERT_TRUE(std::isnan(value)) << each.name << " keeps what it was filled with, token " << i / row;
      }
    }
  }
}

// Under every knob, with equal bits on every run; one value head a key head, so that tiles alone are summed.
// So many numbers has a token that those of a whole group find no place.
TEST(Backward, AgreesWhereAGroupIsStagedInParts) {
  const Variant& variant = variants::rwkv7;
  const CompileOptions options{.key_dim = 256, .value_dim = 8, .pins = {.family = Family::recurrent}};
  const Operator op = compile(variant, options, cpu_device(3));
  const KernelSource source{variant, options, impl_of(op).program(Pass::backward).schedule, Pass::backward};
  EXPECT_LT(recurrent_layout(source).stage_slots, most_staged_tokens);
  const Dims dims{.batch = 1, .tokens = 37, .heads = 1, .value_heads = 1, .key_dim = 256, .value_dim = 8};
  BackwardProblem call(random_problem(variant, options, dims, {.seed = 8}), 8);
  expect_right_gradients(op, call, "rwkv7");
}

constexpr Variant written = variant("written")
                                .decay(full(-softplus(input("x", value_head_axis | key_axis) +
                                                      param("w") * input("y", value_head_axis | value_axis))))
                                .checked();
constexpr Variant normalised = variant("normalised")
                                   .decay(per_key(-softplus(input("x"))))
                                   .erase(sigmoid(input("b")))
                                   .bonus(param("u"))
                                   .output(read() / (1 + square(normaliser())))
                                   .checked();

class BackwardTilings : public CaseTest {};

TEST_P(BackwardTilings, AgreeWithEqualBitsOnEveryRun) {
  const Variant& variant = *GetParam().variant;
  CompileOptions options = options_of(GetParam(), 40, 36, 0);
  options.value_major_state = true;
  const Dims dims{.batch = 1, .tokens = 17, .heads = 2, .value_heads = 2, .key_dim = 40, .value_dim = 36};
  BackwardProblem call(random_problem(variant, options, dims, {.seed = 7}), 7);
  const ArchLimits limits = arch_limits("sm_80");
  const Target target{variant, options, limits};
  int tried = 0;
  for (const int tile : row_of(recurrent_family, value_tile_knob)->domain)
    for (const int warps : row_of(recurrent_family, warps_knob)->domain) {
      const Schedule schedule{.family = Family::recurrent, .value_tile = tile, .warps = warps};
      if (!why_unfit(target, schedule, Pass::backward).empty()) continue;
      if (!runs_in_turn(static_cast<std::size_t>(tried++), 8)) continue;
      const Program program = lower(variant, options, schedule, "sm_80", Pass::backward);
      const auto run = [&](std::uint64_t seed) {
        const Device device = cpu_device(seed);
        return gradients_of(PassKernels(program, device, emit_and_load), device, call);
      };
      const std::vector<HostTensor> first = run(1), second = run(2);
      for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].bytes, second[i].bytes) << first[i].name;
      for (const auto& [name, error, bound] : errors_of(first, reference_gradients(call)))
        EXPECT_TRUE(error <= bound) << name << " " << error << " " << tile << " " << warps;
    }
  // Tiles of four columns have none beside the normaliser's, values that erase take tiles of all columns, and both parts of a
  // complex state more registers.
  const int least = &variant == &value_erasures::apart ? 6
                    : &variant == &normalised          ? 10
                    : variant.is_complex()             ? 12
                                                       : 15;
  EXPECT_GE(tried, least);
}

INSTANTIATE_TEST_SUITE_P(Forms, BackwardTilings,
                         testing::ValuesIn(cases_by_token({&variants::kda, &written, &normalised, &variants::gateloop,
                                                           &variants::mamba3, &value_erasures::apart})),
                         [](const auto& info) { return info.param.name(); });

// Write scales from exp(-1000) to exp(1000), beside decays that forget nothing, or everything. Keys have no signs: else a
// normaliser may be small beside its terms, and all that it divides is off by as much more.
TEST(Backward, IsRightWhereARunningMaximumGoesFar) {
  constexpr Variant far = variants::mlstm.feature_map(sigmoid(element())).checked();
  for (int kind = 0; kind < 5; ++kind) {
    const CompileOptions options{
        .key_dim = 12, .value_dim = 20, .dtype = dtype::f32, .pins = {.family = Family::recurrent}};
    const Dims dims{.batch = 1, .tokens = 75, .heads = 1, .value_heads = 2, .key_dim = 12, .value_dim = 20};
    BackwardProblem call(random_problem(far, options, dims, {.seed = 9}), 9);
    HostTensor &scale = *call.problem.find("i"), &decay = *call.problem.find("f");
    for (std::int64_t at = 0; at < scale.view().elements(); ++at) {
      const double u = draw(Distribution::uniform, 5, 1, static_cast<std::uint64_t>(at)), any = 2000 * u - 1000;
      const double scales[] = {1000, -1000, any, any, 20 * u - 10};
      const double decays[] = {3 * u, 3 * u, 30, at % 5 == 0 ? -INFINITY : 30, at % 5 == 0 ? -2000 : 30 * u};
      store(scale.bytes.data(), scale.type, at, scales[kind]);
      store(decay.bytes.data(), decay.type, at, decays[kind]);
    }
    for (const NamedOracleTensor& each : reference_gradients(call))
      for (const double element : each.tensor.values) ASSERT_TRUE(std::isfinite(element)) << each.name;
    expect_right_gradients(compile(far, options, cpu_device(3)), call, "kind " + std::to_string(kind));
  }
}

// Tensors lie anywhere, and of gradients any may be left out.
TEST(Backward, WritesWhatIsWantedWhereverItLies) {
  for (const Variant* variant : {&variants::mamba2, &variants::gdn2, &variants::mamba1}) {
    const CompileOptions options{
        .key_dim = 9, .value_dim = 10, .dtype = dtype::bf16, .pins = {.family = Family::recurrent}};
    const Dims dims{.batch = 2, .tokens = 13, .heads = 2, .value_heads = 4, .key_dim = 9, .value_dim = 10};
    BackwardProblem call(random_problem(*variant, options, dims, {.seed = 3}), 3, false);
    const Operator op = compile(*variant, options, cpu_device(4));
    for (const Layout& layout : {Layout{0, 3, false}, Layout{1, 5, true}})
      expect_right_gradients(op, call, std::string(variant->name.view()) + " laid", {.layout = layout});
    for (const Port& port : call.gradients())
      expect_right_gradients(op, call, std::string(variant->name.view()) + " without " + port.name,
                             {.unwanted = {port.name}});
  }
}

// In float32 neither states nor their slopes lose digits as the sequence goes on, nor do sums over all of it.
TEST(Backward, Float32KeepsItsDigitsOverLongSequences) {
  const CompileOptions options{
      .key_dim = 4, .value_dim = 4, .dtype = dtype::f32, .pins = {.family = Family::recurrent}};
  for (const Variant* variant : {&variants::linear, &variants::gated_delta, &variants::rwkv5}) {
    const Dims dims{.batch = 1, .tokens = 4096, .heads = 1, .value_heads = 1, .key_dim = 4, .value_dim = 4};
    BackwardProblem call(random_problem(*variant, options, dims, {.seed = 3}), 3);
    for (const auto& [name, error, bound] :
         errors_of(gradients_of(compile(*variant, options, cpu_device(1)), call), reference_gradients(call)))
      EXPECT_LE(error, 4e-6) << variant->name.view() << " " << name;
  }
}

// The first one that the formula of the decay reads.
std::vector<HostTensor*> input_of_decay(Problem& problem) {
  const Expression formula = problem.variant.formula(Formula::decay);
  for (const Node& node : formula)
    if (node.operation == Operation::input) return {problem.find(formula.leaf(node).view())};
  return {};
}

// Decays of 0, by a logarithm of -2000 or minus infinity; nothing erased, all of it, or twice; keys that are zero.
class BackwardHard : public testing::TestWithParam<std::size_t> {};

TEST_P(BackwardHard, InputsAreRight) {
  RANKONE_SKIP_UNLESS(runs_in_turn(GetParam(), 3));
  const Variant& variant = catalogue()[GetParam()];
  const CompileOptions options{
      .key_dim = 6, .value_dim = 5, .dtype = dtype::f32, .pins = {.family = Family::recurrent}};
  const Dims dims{.batch = 1, .tokens = 10, .heads = 1, .value_heads = 2, .key_dim = 6, .value_dim = 5};
  const Operator op = compile(variant, options, cpu_device(3));
  const auto expect = [&](const auto& tensors, double value) {
    BackwardProblem call(random_problem(variant, options, dims, {.seed = 21}), 21);
    for (HostTensor* tensor : tensors(call.problem)) {
      if (tensor == nullptr) continue;
      for (std::int64_t i = 0; i < tensor->view().elements(); ++i) store(tensor->bytes.data(), tensor->type, i, value);
    }
    expect_right_gradients(op, call, "with " + std::to_string(value));
  };
  const auto named = [](const char* name) {
    return [name](Problem& problem) { return std::vector{problem.find(name)}; };
  };
  for (const double value : {-2000.0, -math::infinity}) expect(input_of_decay, value);
  for (const double value : {0.0, 1.0, 2.0}) expect(named("beta"), value);
  for (const char* name : {"k", "q", "v"}) expect(named(name), 0);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, BackwardHard, testing::Range(std::size_t{0}, catalogue().size()),
                         [](const auto& info) { return std::string(catalogue()[info.param].name.view()); });

}  // namespace
}  // namespace rankone::test
