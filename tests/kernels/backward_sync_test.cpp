// SPDX-License-Identifier: MIT
// Takes away each barrier of the backward pass, one at a time: the CPU device must see what that breaks.
#include <set>

#include "codegen/knob_text.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "tests/kernels/backward_calls.hpp"
#include "tests/kernels/features.hpp"
#include "tests/kernels/value_erasures.hpp"

namespace rankone::test {
namespace {

// Forms with all barriers there are: of an erasure, inputs and parameters of heads, a nonlinear output, elements that decay
// each at its own pace.
constexpr Variant everything = variant("everything")
                                   .decay(per_head(-softplus(input("a") + param("bias"))))
                                   .erase(sigmoid(input("b")))
                                   .output(read() * sigmoid(read()) + param("d", value_axis) * value())
                                   .checked();
constexpr Variant elements =
    variant("elements")
        .decay(full(-softplus(input("x", value_head_axis | key_axis) + input("y", value_head_axis | value_axis) *
                                                                           param("w", value_head_axis | key_axis) *
                                                                           param("u", value_head_axis | value_axis))))
        .checked();

// Queries and keys walked apart.
constexpr Variant apart = variant("apart")
                              .write_scale(sigmoid(input("w") + param("bias")))
                              .output(read() * sigmoid(read() + input("z", value_head_axis)))
                              .non_causal()
                              .checked();
constexpr Variant apart_and_plain = variant("apart_and_plain").non_causal().checked();

constexpr Variant both_ways = variant("both_ways")
                                  .decay(per_key(log_sigmoid(input("x") + param("bias"))))
                                  .output(read() * sigmoid(read()))
                                  .bidirectional()
                                  .checked();
constexpr Variant normalised =
    variant("normalised").decay(per_head(-softplus(input("a")))).output(read() / (1 + square(normaliser()))).checked();

const Variant* const forms[] = {
    &variants::linear,   &variants::rwkv6,  &variants::comba,      &everything,       &elements,   &apart,
    &apart_and_plain,    &both_ways,        &with_row_sums,        &features::series, &normalised, &variants::mlstm,
    &variants::gateloop, &variants::mamba3, &value_erasures::apart};

class BackwardSync : public testing::TestWithParam<std::size_t> {
 protected:
  static const Variant& form() { return *forms[GetParam()]; }

  std::string run_without(const Schedule& schedule, int line, std::uint64_t seed, std::set<int>& visited,
                          std::string* text = nullptr) {
    const int key_dim = has_features(form()) ? 6 : 33;  // of which 43 features are made
    const CompileOptions options{
        .key_dim = key_dim, .value_dim = 16, .dtype = dtype::bf16, .pins = {.family = Family::recurrent}};
    const Dims dims{.batch = 1, .tokens = 75, .heads = 1, .value_heads = 1, .key_dim = key_dim, .value_dim = 16};
    BackwardProblem call(random_problem(form(), options, dims, {.seed = seed}), seed);
    EmulationOptions emulation{.seed = seed, .dropped_line = line};
    emulation.on_report = [&](const EmulationReport& report) {
      visited.insert(report.visited_lines.begin(), report.visited_lines.end());
    };
    const Device device = cpu_device(emulation);
    const PassKernels kernels(lower(form(), options, schedule, "sm_80", Pass::backward), device, emit_and_load);
    if (text != nullptr) *text = kernels.text();
    try {
      for (const auto& [name, error, bound] : errors_of(gradients_of(kernels, device, call), reference_gradients(call)))
        if (!(error <= bound)) return name + " is wrong";
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
};

// Where each warp has columns of its own, and where two share them.
TEST_P(BackwardSync, EveryRemovalIsSeen) {
  RANKONE_SKIP_UNLESS(runs_in_turn(GetParam(), 3));
  const bool has_one_tile = form().has(Formula::value_erase);
  for (const auto& [tile, warps] : {std::pair(16, 2), has_one_tile ? std::pair(16, 8) : std::pair(8, 4)}) {
    const Schedule schedule{.family = Family::recurrent, .value_tile = tile, .warps = warps};
    SCOPED_TRACE(to_string(schedule));
    std::set<int> visited;
    std::string text;
    for (std::uint64_t seed = 1; seed <= 4; ++seed)
      EXPECT_EQ(run_without(schedule, 0, seed, visited, &text), "") << "untouched";
    int removed = 0;
    for (const SyncSite& site : list_sync_sites(text)) {
      if (!visited.contains(site.line)) continue;
      ++removed;
      std::set<int> ignored;
      EXPECT_NE(run_without(schedule, site.line, 1, ignored), "")
          << site.word << " on line " << site.line << " goes unmissed";
    }
    EXPECT_GE(removed, 4);  // before each token of three walks, and behind each of one
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, BackwardSync, testing::Range(std::size_t{0}, std::size(forms)),
                         [](const auto& info) { return std::string(forms[info.param]->name.view()); });

}  // namespace
}  // namespace rankone::test
