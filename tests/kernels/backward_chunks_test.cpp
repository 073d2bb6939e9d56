// SPDX-License-Identifier: MIT
// The backward pass in chunks on the CPU device: gradients of every variant that has it and every type against the oracle's,
// over sizes, packings, heads, layouts and schedules; and each of its barriers and waits taken away.
#include <set>

#include "codegen/choose.hpp"
#include "codegen/kernels.hpp"
#include "codegen/knob_text.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "tests/kernels/backward_calls.hpp"

namespace rankone::test {
namespace {

// Beside the catalogue: formulas of everything that a chunk's gradients go through, and tensors that heads share.
constexpr Variant formulas =
    variant("formulas")
        .decay(per_head(-softplus(input("a") + param("bias", head_axis))))
        .feature_map(silu)
        .query(query() * sigmoid(input("z", head_axis | key_axis)))
        .key(key() * (1 + param("w", value_head_axis | key_axis)) * input("b", head_axis))
        .value(input("y", value_head_axis | value_axis) * value() + input("e", value_head_axis))
        .write_scale(sigmoid(input("c") + param("d")))
        .checked();
constexpr Variant backwards = variant("backwards").decay(per_head(log_sigmoid(input("x")))).reversed().checked();
constexpr Variant by_key = variant("by_key")
                               .decay(per_key(-softplus(input("a") + param("bias", value_head_axis | key_axis))))
                               .feature_map(silu)
                               .query(query() * sigmoid(input("z", head_axis | key_axis)) * (2 - decay()))
                               .key(key() * (1 - decay()) * input("b", head_axis))
                               .value(input("y", value_head_axis | value_axis) * value())
                               .write_scale(sigmoid(input("c") + param("d")))
                               .checked();
constexpr Variant exclusive = variant("exclusive").decay(per_head(log_sigmoid(input("x")))).exclusive().checked();
constexpr Variant exclusive_by_key =
    variant("exclusive_by_key").decay(per_key(log_sigmoid(input("x")))).exclusive().reversed().checked();
constexpr Variant bonus = variant("bonus")
                              .decay(per_head(log_sigmoid(input("x"))))
                              .bonus(param("u") * sigmoid(input("z", value_head_axis | key_axis)))
                              .write_scale(sigmoid(input("c")))
                              .checked();
constexpr Variant by_position =
    variant("by_position").decay(per_head(-1 / (2 + position()))).key(key() * sigmoid(input("b"))).checked();

bool is_served(const Variant& variant) {
  const CompileOptions options{.key_dim = 16, .value_dim = 16};
  return portable::why_no_backward(variant, options).empty();
}
std::vector<Case> cases() {
  std::vector<const Variant*> variants{&formulas,  &by_key,           &backwards, &by_position,
                                       &exclusive, &exclusive_by_key, &bonus};
  for (const Variant& variant : catalogue())
    if (is_served(variant)) variants.push_back(&variant);
  std::vector<Case> cases;
  for (const Variant* variant : variants)
    for (const Numbers& numbers : all_numbers) cases.push_back({variant, Level::chunk, numbers});
  return numbers_in_turn(cases, 2);
}

CompileOptions options_for(const Case& c, int key_dim, int value_dim) {
  return {.key_dim = key_dim,
          .value_dim = value_dim,
          .dtype = c.numbers.type,
          .precision = c.numbers.precision,
          .pins = {.family = Family::portable}};
}

class BackwardChunks : public CaseTest {
 protected:
  // Lengths around a sub-chunk and a chunk, of which the short run has every second, then one packing with empty sequences.
  void run(int key_dim, int value_dim, std::int64_t value_heads, std::uint64_t seed) {
    const Case& c = GetParam();
    const CompileOptions options = options_for(c, key_dim, value_dim);
    const auto expect_one = [&](std::int64_t batch, std::int64_t tokens, bool packed, bool spread) {
      ++seed;
      const Dims dims{.batch = batch,
                      .tokens = tokens,
                      .heads = 1,
                      .value_heads = value_heads,
                      .key_dim = key_dim,
                      .value_dim = value_dim,
                      .sequences = batch};
      BackwardProblem call(
          random_problem(*c.variant, options, dims, {.seed = seed, .initial_state = tokens != 17, .packed = packed}),
          seed, tokens != 16);
      if (spread) spread_gates(call.problem, seed);
      const Operator op = compile(*c.variant, options, cpu_device(seed));
      ASSERT_EQ(impl_of(op).program(Pass::backward).schedule.family, Family::portable);
      // Logarithms of some -100 multiply what float32 leaves of slopes that are as good as nothing.
      expect_right_gradients(op, call,
                             c.name() + " " + to_string(dims) + (packed ? " packed" : "") + (spread ? " spread" : "") +
                                 " seed " + std::to_string(seed),
                             {.more_of_parameters = spread ? 4.0 : 1.0});
    };
    // Of one element a state errs by anything.
    const std::int64_t batch = key_dim * value_dim == 1 ? 32 : 2;
    std::size_t number = seed / 10;
    for (const int tokens : {1, 16, 17, 64, 65})
      if (runs_in_turn(number++, 2)) expect_one(batch, tokens, false, false);
    expect_one(1, 150, true, false);
    expect_one(1, 150, false, true);
  }
};

TEST_P(BackwardChunks, AgreeWithTheOracle) { run(20, 36, 3, 10); }

TEST_P(BackwardChunks, AgreeAtOtherSizes) {
  RANKONE_SKIP_UNLESS_WHOLE();
  run(1, 1, 1, 20);
  run(21, 75, 1, 30);
  run(128, 128, 1, 40);
  run(72, 16, 2, 50);
}

INSTANTIATE_TEST_SUITE_P(Variants, BackwardChunks, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name(); });

// Under every schedule, with equal bits on every run.
class BackwardSchedules : public testing::TestWithParam<std::size_t> {};
const Variant* const forms[] = {&variants::linear, &variants::simple_gla, &variants::rwkv6, &formulas};

TEST_P(BackwardSchedules, AgreeWithEqualBitsOnEveryRun) {
  const Variant& variant = *forms[GetParam()];
  for (const dtype type : {dtype::bf16, dtype::f32}) {
    const CompileOptions options{
        .key_dim = 40, .value_dim = 52, .dtype = type, .value_major_state = true, .pins = {.family = Family::portable}};
    const Dims dims{.batch = 1, .tokens = 75, .heads = 2, .value_heads = 2, .key_dim = 40, .value_dim = 52};
    BackwardProblem call(random_problem(variant, options, dims, {.seed = 7}), 7);
    const std::vector<NamedOracleTensor> reference = reference_gradients(call);
    const std::vector<Schedule> all = schedules_of(Pass::backward, variant, options, "sm_80");
    EXPECT_GE(all.size(), 30u);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!runs_in_turn(i + GetParam() + (type == dtype::f32), 24)) continue;
      const Program program = lower(variant, options, all[i], "sm_80", Pass::backward);
      const auto run = [&](std::uint64_t seed) {
        const Device device = cpu_device(seed);
        return gradients_of(PassKernels(program, device, emit_and_load), device, call);
      };
      const std::vector<HostTensor> first = run(1), second = run(2);
      for (std::size_t j = 0; j < first.size(); ++j) EXPECT_EQ(first[j].bytes, second[j].bytes) << first[j].name;
      for (const auto& [name, error, bound] : errors_of(first, reference, &call.problem))
        EXPECT_TRUE(error <= bound) << name << " " << error << " " << to_string(all[i]);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Forms, BackwardSchedules, testing::Range(std::size_t{0}, std::size(forms)),
                         [](const auto& info) { return std::string(forms[info.param]->name.view()); });

// Tensors lie anywhere, and of gradients any may be left out.
TEST(ChunkGradients, WriteWhatIsWantedWhereverItLies) {
  for (const Variant* variant : {&variants::mamba2, &formulas}) {
    const CompileOptions options{
        .key_dim = 9, .value_dim = 10, .dtype = dtype::bf16, .pins = {.family = Family::portable}};
    const Dims dims{.batch = 2, .tokens = 33, .heads = 2, .value_heads = 4, .key_dim = 9, .value_dim = 10};
    BackwardProblem call(random_problem(*variant, options, dims, {.seed = 3}), 3, false);
    const Operator op = compile(*variant, options, cpu_device(4));
    for (const Layout& layout : {Layout{0, 3, false}, Layout{1, 5, true}})
      expect_right_gradients(op, call, std::string(variant->name.view()) + " laid", {.layout = layout});
    for (const Port& port : call.gradients())
      expect_right_gradients(op, call, std::string(variant->name.view()) + " without " + port.name,
                             {.unwanted = {port.name}});
  }
}

// Decays of 0, by a logarithm of -2000 or minus infinity, of all tokens or of some.
TEST(ChunkGradients, ResetsAreRight) {
  for (const Variant* variant : {&variants::simple_gla, &variants::gla})
    for (const double decay : {-2000.0, -math::infinity})
      for (const int every : {1, 7}) {
        const CompileOptions options{.key_dim = 24,
                                     .value_dim = 20,
                                     .dtype = dtype::f32,
                                     .precision = Precision::f32,
                                     .pins = {.family = Family::portable}};
        const Dims dims{.batch = 1, .tokens = 140, .heads = 1, .value_heads = 2, .key_dim = 24, .value_dim = 20};
        BackwardProblem call(random_problem(*variant, options, dims, {.seed = 21}), 21);
        HostTensor& gates = *call.problem.find("g");
        for (std::int64_t i = 0; i < gates.view().elements(); ++i)
          if (i / 2 % every == 0) store(gates.bytes.data(), gates.type, i, decay);
        expect_right_gradients(compile(*variant, options, cpu_device(3)), call, std::to_string(decay));
      }
}

// Who pins that family has it; a variant without a form in chunks falls back.
TEST(ChunkGradients, GiveWayToTheRecurrentFamily) {
  const auto family_of = [](const Variant& variant, const Pins& pins) {
    const CompileOptions options{.key_dim = 64, .value_dim = 64, .pins = pins};
    return impl_of(compile(variant, options, cpu_device(1))).program(Pass::backward).schedule.family;
  };
  EXPECT_EQ(family_of(variants::simple_gla, {}), Family::portable);
  EXPECT_EQ(family_of(variants::simple_gla, {.family = Family::portable}), Family::portable);
  EXPECT_EQ(family_of(variants::simple_gla, {.family = Family::recurrent}), Family::recurrent);
  EXPECT_EQ(family_of(variants::simple_gla, {.family = Family::portable, .chunk = 32}), Family::portable);
  EXPECT_EQ(family_of(variants::simple_gla, {.family = Family::hopper}), Family::portable);
  EXPECT_EQ(family_of(variants::gated_delta, {}), Family::recurrent);
}

struct Removal {
  const char* name;
  const Variant* variant;
  Schedule schedule;
  friend void PrintTo(const Removal& each, std::ostream* out) { *out << each.name; }
};
const Removal removals[] = {
    {"two_stages", &variants::simple_gla, {.level = Level::chunk, .chunk = 64, .value_tile = 16, .warps = 4}},
    {"one_stage",
     &variants::simple_gla,
     {.level = Level::chunk, .chunk = 64, .value_tile = 16, .warps = 4, .stages = 1}},
    {"by_key", &variants::gla, {.level = Level::chunk, .chunk = 64, .value_tile = 16, .warps = 4}},
    {"formulas", &formulas, {.level = Level::chunk, .chunk = 64, .value_tile = 16, .warps = 8}},
};
class BackwardChunksSync : public testing::TestWithParam<std::size_t> {
 protected:
  static const Removal& form() { return removals[GetParam()]; }
  std::string run_without(int line, std::uint64_t seed, std::set<int>& visited, std::string* text = nullptr) {
    const CompileOptions options{
        .key_dim = 40, .value_dim = 48, .dtype = dtype::bf16, .pins = {.family = Family::portable}};
    const Dims dims{.batch = 1, .tokens = 140, .heads = 1, .value_heads = 1, .key_dim = 40, .value_dim = 48};
    BackwardProblem call(random_problem(*form().variant, options, dims, {.seed = seed}), seed);
    EmulationOptions emulation{.seed = seed, .dropped_line = line};
    emulation.on_report = [&](const EmulationReport& report) {
      visited.insert(report.visited_lines.begin(), report.visited_lines.end());
    };
    const Device device = cpu_device(emulation);
    const PassKernels kernels(lower(*form().variant, options, form().schedule, "sm_80", Pass::backward), device,
                              emit_and_load);
    if (text != nullptr) *text = kernels.text();
    try {
      for (const auto& [name, error, bound] :
           errors_of(gradients_of(kernels, device, call), reference_gradients(call), &call.problem))
        if (!(error <= bound)) return name + " is wrong";
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
};

TEST_P(BackwardChunksSync, EveryRemovalIsSeen) {
  std::set<int> visited;
  std::string text;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) EXPECT_EQ(run_without(0, seed, visited, &text), "") << "untouched";
  int removed = 0;
  for (const SyncSite& site : list_sync_sites(text)) {
    if (!visited.contains(site.line)) continue;
    ++removed;
    std::set<int> ignored;
    EXPECT_NE(run_without(site.line, 1, ignored), "") << site.word << " on line " << site.line << " goes unmissed";
  }
  EXPECT_GE(removed, 8);
}
INSTANTIATE_TEST_SUITE_P(Forms, BackwardChunksSync, testing::Range(std::size_t{0}, std::size(removals)),
                         [](const auto& info) { return std::string(removals[info.param].name); });

}  // namespace
}  // namespace rankone::test
