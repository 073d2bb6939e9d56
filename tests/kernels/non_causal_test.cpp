// SPDX-License-Identifier: MIT
// Non-causal variants on the CPU device, in chunks and token by token: other numbers of keys than of queries, packed and empty
// sequences, each barrier taken away, and what is refused.
#include <set>

#include "codegen/program.hpp"
#include "proof/bounds.hpp"
#include "proof/launch.hpp"
#include "proof/oracle/compare.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/first_fault.hpp"
#include "tests/refusal.hpp"

namespace rankone::test {
namespace {

constexpr Variant plain = variant("plain").feature_map(relu).non_causal().checked();
constexpr Variant gated = variant("gated")
                              .key(key() * sigmoid(input("a")) + param("u"))
                              .value(value() * input("b"))
                              .write_scale(sigmoid(input("w") + param("bias")))
                              .query(query() * sigmoid(input("c")) * (1 + position() / 64) + param("u"))
                              .output(read() * sigmoid(read() + input("z", value_head_axis)) + input("y"))
                              .non_causal()
                              .checked();
constexpr Variant normalised = variant("normalised")
                                   .feature_map(square(element()) + 0.25)
                                   .key(key() * sigmoid(input("a")))
                                   .write_scale(sigmoid(input("w") + param("bias")))
                                   .query(query() * sigmoid(input("c", value_head_axis)))
                                   .output(read() * sigmoid(input("y")) - normaliser() / 256)
                                   .normalised(0.25)
                                   .non_causal()
                                   .checked();
constexpr Variant unweighted = variant("unweighted")
                                   .feature_map(square(element()) + 0.25)
                                   .value(silu(value()))
                                   .normalised(0.25)
                                   .non_causal()
                                   .checked();
constexpr Variant with_sums =
    variant("with_sums").feature_map(l2_normalize).query(softmax(query())).non_causal().checked();

Dims dims_of(const CompileOptions& options, std::int64_t batch, std::int64_t tokens, std::int64_t keys) {
  return {.batch = batch,
          .tokens = tokens,
          .heads = 1,
          .value_heads = 3,
          .key_dim = options.key_dim,
          .value_dim = options.value_dim,
          .sequences = batch,
          .key_tokens = keys};
}

class NonCausal : public testing::TestWithParam<Case> {};

TEST_P(NonCausal, AgreesWithTheOracle) {
  const Case& c = GetParam();
  const bool in_chunks = c.family == Family::portable;
  // Keys of several warps where they are reduced.
  const CompileOptions options = options_of(c, c.variant == &with_sums ? 40 : 21, 20, in_chunks ? 16 : 0);
  const Operator op = compile(*c.variant, options, cpu_device(7));
  std::uint64_t seed = 30;
  for (const Pass pass : {Pass::forward, Pass::backward})
    for (const auto& [tokens, keys] : {std::pair{1, 1}, {9, 40}, {70, 3}, {5, 0}, {150, 33}})
      for (const bool packed : {false, true}) {
        if (in_chunks ? pass == Pass::backward : tokens == 150) continue;  // several blocks of queries, in chunks
        Problem problem =
            random_problem(*c.variant, options, dims_of(options, packed ? 1 : 2, tokens, keys),
                           {.seed = ++seed, .initial_state = tokens != 9, .packed = packed, .pass = pass});
        expect_right(
            op, problem,
            c.name() + " " + to_string(problem.dims) + (packed ? " packed " : " ") + "seed " + std::to_string(seed));
      }
}

// Outputs of the same problem, in chunks of two widths and token by token. The short run has each variant in one of the numbers.
TEST(NonCausal, FamiliesAgree) {
  const Variant* const variants[] = {&plain, &gated, &normalised, &unweighted};
  for (const Variant* const& variant : variants)
    for (const Numbers& numbers : all_numbers) {
      if (!whole_matrix() && &variant - variants != &numbers - all_numbers) continue;
      CompileOptions options{
          .key_dim = 40, .value_dim = 24, .dtype = numbers.type, .precision = numbers.precision, .arch = "sm_80"};
      const Problem problem = random_problem(*variant, options, dims_of(options, 2, 75, 90), {.seed = 3});
      const auto outputs = [&](const Pins& pins, std::uint64_t seed) {
        options.pins = pins;
        Launch launch(compile(*variant, options, cpu_device(seed)), problem, true);
        launch.poison();
        launch.run();
        return launch.outputs();
      };
      const auto in_chunks = outputs({.chunk = 64}, 1), again = outputs({.chunk = 64}, 6),
                 others = outputs({.chunk = 16, .value_tile = 16}, 1),
                 by_token = outputs({.family = Family::recurrent}, 1);
      for (std::size_t i = 0; i < in_chunks.size(); ++i) {
        const double bound = 2 * error_bound(problem, in_chunks[i].name, false);
        for (const auto* each : {&others, &by_token})
          EXPECT_LE(compare(in_chunks[i].view(), (*each)[i].view(), bound).relative_error, bound)
              << variant->name.view() << " " << numbers.name << " " << in_chunks[i].name;
        EXPECT_EQ(in_chunks[i].bytes, again[i].bytes) << in_chunks[i].name << ", another schedule of threads";
      }
    }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Variant* variant : {&plain, &gated, &normalised})
    for (const Numbers& numbers : all_numbers) all.push_back({variant, Level::serial, numbers});
  for (const Variant* variant : {&plain, &gated, &normalised, &with_sums})
    for (const Numbers& numbers : all_numbers)
      if (numbers.precision == Precision::tf32) all.push_back({variant, Level::automatic, numbers, Family::recurrent});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Forms, NonCausal, testing::ValuesIn(cases()), [](const auto& info) {
  return info.param.name() + (info.param.family == Family::portable ? "_in_chunks" : "");
});

// Without a barrier or a wait the CPU device sees a race, or an output is wrong. Returns how many were removed.
int remove_each_site(const Variant& variant, const Schedule& schedule, std::int64_t tokens, std::int64_t keys) {
  const CompileOptions options{.key_dim = schedule.family == Family::recurrent ? 33 : 32, .value_dim = 16};
  const auto run_without = [&](int line, std::set<int>& visited, std::string* text) -> std::string {
    Problem problem = random_problem(variant, options, dims_of(options, 1, tokens, keys), {.seed = 4});
    EmulationOptions emulation{.seed = 4, .dropped_line = line};
    emulation.on_report = [&](const EmulationReport& report) {
      visited.insert(report.visited_lines.begin(), report.visited_lines.end());
    };
    const Operator op = compile_schedule(variant, options, {schedule, "pinned"}, cpu_device(emulation));
    if (text != nullptr) *text = op.source();
    return first_fault(op, problem);
  };
  SCOPED_TRACE(std::string(variant.name.view()) + ", " + std::to_string(schedule.stages) + " stages");
  std::set<int> visited, ignored;
  std::string text;
  EXPECT_EQ(run_without(0, visited, &text), "") << "untouched";
  int removed = 0;
  for (const SyncSite& site : list_sync_sites(text)) {
    if (!visited.contains(site.line)) continue;
    ++removed;
    EXPECT_NE(run_without(site.line, ignored, nullptr), "") << site.word << " on line " << site.line;
  }
  return removed;
}

TEST(NonCausal, EveryRemovedBarrierIsSeen) {
  EXPECT_EQ(remove_each_site(gated, {.family = Family::recurrent, .value_tile = 16, .warps = 2}, 12, 9), 3);
  for (const int stages : {1, 2})
    for (const Variant* variant : {&plain, &gated, &normalised, &unweighted})
      EXPECT_GE(remove_each_site(*variant, {.chunk = 16, .value_tile = 16, .warps = 2, .stages = stages}, 40, 40), 8)
          << variant->name.view() << " " << stages;
}

// Of an odd and an even number of keys: nothing else lies between the walk that writes them and the one back.
TEST(NonCausal, WithoutQueriesKeysHaveSlopesOfZero) {
  for (const std::int64_t count : {5, 6}) {
    const Operator op = compile(plain, {.key_dim = 16, .value_dim = 16, .dtype = dtype::f32},
                                cpu_device(static_cast<std::uint64_t>(count)));
    const auto size = static_cast<std::size_t>(count * 16);
    std::vector<float> keys(size, 1.0f), values(size, 1.0f), of_keys(size, NAN), of_values(size, NAN), none(1);
    const auto tensor = [](std::vector<float>& memory, std::int64_t tokens) {
      return Tensor(memory.data(), dtype::f32, {1, tokens, 1, 16});
    };
    BackwardArguments given{.q = tensor(none, 0), .k = tensor(keys, count), .v = tensor(values, count)};
    given.do_ = tensor(none, 0);
    given.dk = tensor(of_keys, count);
    given.dv = tensor(of_values, count);
    std::vector<std::byte> workspace(op.workspace_bytes({1, 0, 1, 1, 0, count}, Pass::backward));
    given.workspace = workspace;
    op.backward(given);
    for (const std::vector<float>& each : {of_keys, of_values})
      for (const float slope : each) EXPECT_EQ(slope, 0.0f);
  }
}

TEST(NonCausal, IsRefusedWhatItHasNot) {
  const CompileOptions options{.key_dim = 16, .value_dim = 16};
  const Operator op = compile(plain, options, cpu_device(1));
  for (const Pass pass : {Pass::decode, Pass::states, Pass::combine}) EXPECT_FALSE(op.supports(pass));
  EXPECT_EQ(op.schedule().find("portable/serial"), 0u) << op.schedule();
  const std::string states = refusal(
      [&] { compile(plain, {.key_dim = 16, .value_dim = 16, .pins = {.level = Level::chunk}}, cpu_device(1)); });
  EXPECT_NE(states.find("queries that read all keys read no states of chunks"), std::string::npos) << states;
  EXPECT_NE(refusal([&] { op.prepare_decode(); }).find("this variant's queries read all keys"), std::string::npos);
  std::vector<float> memory(1 << 12);
  std::vector<int> offsets = {0, 2, 3}, keys = {0, 1, 9};
  const auto tensor = [&](std::int64_t tokens) { return Tensor(memory.data(), dtype::bf16, {1, tokens, 1, 16}); };
  ForwardArguments given{
      .q = tensor(3), .k = tensor(5), .v = tensor(5), .o = Tensor(&memory[1 << 11], dtype::bf16, {1, 3, 1, 16})};
  std::vector<std::byte> workspace(op.workspace_bytes({1, 3, 1, 1, 0, 5}));
  given.workspace = workspace;
  EXPECT_EQ(refusal([&] { op.forward(given); }), "accepted");
  given.cu_seqlens = Tensor::of(offsets.data(), {3});
  EXPECT_EQ(
      refusal([&] { op.forward(given); }),
      "plain, tensor 'cu_seqlens_k': the tensor is missing; given cu_seqlens without it; accepted: both, or none: "
      "queries and keys are packed alike");
  given.inputs = {{"cu_seqlens_k", Tensor::of(keys.data(), {3})}};
  EXPECT_EQ(refusal([&] { op.forward(given); }),
            "plain, tensor 'cu_seqlens_k': an offset overruns the tokens; given cu_seqlens_k[2] = 9; accepted: offsets "
            "that never decrease, between 0 and Tk = 5");
  given.cu_seqlens = {};
  EXPECT_NE(refusal([&] { op.forward(given); }).find("tensor 'cu_seqlens': the tensor is missing"), std::string::npos);
  given.inputs.clear();
  given.v = tensor(4);
  EXPECT_NE(refusal([&] { op.forward(given); }).find("[B = 1, Tk = 5"), std::string::npos);
  EXPECT_NE(refusal([&] {
              random_problem(variants::linear, options, {.key_dim = 16, .value_dim = 16, .key_tokens = 4}, {});
            }).find("non-causal variants alone; given Tk=4"),
            std::string::npos);
}

}  // namespace
}  // namespace rankone::test
