// SPDX-License-Identifier: MIT
// Bases and strides of any alignment: the same bits as from whole rows side by side, for each tensor alone and for all.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <rankone/rankone.hpp>

#include "proof/problem.hpp"
#include "runtime/call.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "tests/kernels/laid.hpp"
#include "tests/kernels/parts.hpp"

namespace rankone::test {
namespace {

constexpr Variant plain = variant("plain").checked();
constexpr Variant mapped = variant("mapped").feature_map(exp(element())).checked();
constexpr Variant constant = variant("constant").decay(rankone::constant(-0.25)).checked();
constexpr Variant per_token = variant("per_token").decay(per_head(log_sigmoid(input("x")))).checked();
constexpr Variant weighted = variant("weighted").write_scale(sigmoid(input("b"))).checked();
constexpr Variant by_key = variant("by_key").decay(per_key(log_sigmoid(input("x")))).checked();
constexpr Variant scaled = variant("scaled")
                               .decay(per_key(log_sigmoid(input("x") + param("bias"))))
                               .write_scale(sigmoid(input("b")))
                               .checked();

constexpr Layout aligned{0, 0, false};
constexpr Layout odd_layouts[] = {{1, 0, false}, {0, 3, false}, {5, 1, true}, {8, 4, true}, {2, 2, false}};

struct Kernel {
  const Variant* variant;
  Family family;
  bool prepared = false, maps = true;
  std::string name() const {
    return std::string(variant->name.view()) + (family == Family::hopper ? "_hopper" : "_portable") +
           (prepared ? "_prepared" : "") + (maps ? "" : "_without_maps");
  }
  friend void PrintTo(const Kernel& kernel, std::ostream* out) { *out << kernel.name(); }
};
std::vector<Kernel> kernels() {
  std::vector<Kernel> all;
  for (const Variant* variant : {&plain, &mapped, &constant, &per_token, &weighted, &by_key, &scaled}) {
    all.push_back({variant, Family::portable});
    all.push_back({variant, Family::hopper});
    all.push_back({variant, Family::hopper, false, false});
  }
  all.push_back({&scaled, Family::hopper, true});
  for (const Variant* variant : {&parts::bonus, &parts::backwards_bonus, &parts::columns, &parts::sides})
    all.push_back({variant, Family::hopper});
  for (const Variant* variant : {&parts::formulas, &parts::backwards_bonus, &parts::sides, &parts::normalised_keys})
    all.push_back({variant, Family::portable});
  return all;
}

class Layouts : public testing::TestWithParam<Kernel> {};

constexpr int B = 2, T = 37, H = 1, HV = 2, K = 80, V = 48;

// `which`: the tensor that lies as `layout` says; empty: all do.
std::vector<std::byte> output_of(const Operator& op, const Problem& problem, const std::string& which,
                                 const Layout& layout) {
  const auto layout_of = [&](const std::string& name) { return which.empty() || which == name ? layout : aligned; };
  ForwardArguments arguments;
  std::vector<Laid> kept;
  kept.reserve(problem.tensors.size() + 1);
  for (const HostTensor& tensor : problem.tensors) {
    if (tensor.shape.size() >= 3 && tensor.shape[1] == T)
      bind_tensor(arguments, tensor.name, kept.emplace_back(tensor, layout_of(tensor.name)).tensor());
    else
      bind_tensor(arguments, tensor.name, tensor.view());
  }
  Laid output(make_tensor("o", dtype::bf16, {B, T, HV, V}), layout_of("o"));
  bind_tensor(arguments, "o", output.tensor());
  const Shape shape{.batch = B, .tokens = T, .heads = H, .value_heads = HV};
  std::vector<std::byte> workspace(op.workspace_bytes(shape));
  arguments.workspace = workspace;
  op.forward(arguments);
  return output.gathered();
}

TEST_P(Layouts, UnalignedRowsGiveTheSame) {
  const Kernel& kernel = GetParam();
  CompileOptions options{.key_dim = K, .value_dim = V, .pins = {.family = kernel.family, .chunk = 32}};
  if (kernel.prepared) options.pins.prepared = true;
  const Dims dims{.batch = B, .tokens = T, .heads = H, .value_heads = HV, .key_dim = K, .value_dim = V, .sequences = B};
  const Problem problem = random_problem(*kernel.variant, options, dims, {.seed = 9, .initial_state = false});
  EmulationOptions emulation{.seed = 9};
  emulation.maps_tensors = kernel.maps;
  const Operator op = compile(*kernel.variant, options, cpu_device(emulation));
  const std::vector<std::byte> expected = output_of(op, problem, "", aligned);
  std::vector<std::string> names = {"", "o"};
  for (const HostTensor& tensor : problem.tensors)
    if (tensor.shape.size() >= 3 && tensor.shape[1] == T) names.push_back(tensor.name);
  EXPECT_GE(names.size(), 5u);
  for (const std::string& name : names)
    for (const Layout& layout : odd_layouts)
      EXPECT_EQ(output_of(op, problem, name, layout), expected)
          << (name.empty() ? "all" : name) << " from " << layout.from << ", gap " << layout.gap
          << (layout.head_major ? ", heads outside" : "");
}
INSTANTIATE_TEST_SUITE_P(All, Layouts, testing::ValuesIn(kernels()),
                         [](const auto& info) { return info.param.name(); });

}  // namespace
}  // namespace rankone::test
