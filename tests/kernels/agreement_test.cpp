// SPDX-License-Identifier: MIT
// Levels and families against each other, and every kernel against itself: the same bits on a second run and under any
// schedule of its threads.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rankone/rankone.hpp>

#include "proof/launch.hpp"
#include "proof/oracle/compare.hpp"
#include "proof/problem.hpp"
#include "runtime/cpu/device.hpp"

namespace rankone::test {
namespace {

struct Kernel {
  const char* name;
  Family family;
  Level level = Level::serial;
  bool prepared = false;
  int cluster = 0;
};
constexpr Kernel portable{"portable_serial", Family::portable}, hopper{"hopper_serial", Family::hopper};
constexpr Kernel chunk{"portable_chunk", Family::portable, Level::chunk},
    segment{"hopper_segment", Family::hopper, Level::segment},
    prepared{"hopper_prepared", Family::hopper, Level::serial, true},
    cluster{"hopper_cluster", Family::hopper, Level::serial, false, 2};

constexpr int K = 128, V = 128;

Operator operator_of(const Variant& variant, const Kernel& kernel, std::uint64_t seed) {
  CompileOptions options{
      .key_dim = K, .value_dim = V, .pins = {.family = kernel.family, .level = kernel.level, .chunk = 32}};
  if (kernel.prepared) options.pins.prepared = true;
  if (kernel.cluster != 0) options.pins.cluster = kernel.cluster, options.pins.value_tile = 64;
  // Few multiprocessors: blocks then take several items each, and segments are few.
  return compile(variant, options, cpu_device({.seed = seed, .multiprocessors = 2}));
}

std::vector<HostTensor> outputs_of(const Operator& op, const Problem& problem) {
  Launch launch(op, problem, true);
  launch.poison();
  launch.run();
  return launch.outputs();
}

class Agreement : public testing::TestWithParam<const Variant*> {
 protected:
  const Variant& variant = *GetParam();
  Problem problem = random_problem(
      variant, {.key_dim = K, .value_dim = V},
      {.batch = 1, .tokens = 200, .heads = 1, .value_heads = 2, .key_dim = K, .value_dim = V, .sequences = 1},
      {.seed = 5});

  // Relative differences of the outputs, each at most its bound: of o, then of the final state. Rows are not judged by
  // themselves: one number that is rounded the other way is much of a row where nearly all others are the same.
  void expect_close(const Kernel& one, const Kernel& other, double output, double state) {
    std::vector<HostTensor> a = outputs_of(operator_of(variant, one, 1), problem),
                            b = outputs_of(operator_of(variant, other, 1), problem);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double bound = a[i].name == "o" ? output : state;
      const Comparison found = compare(a[i].view(), b[i].view(), bound);
      EXPECT_LE(found.relative_error, bound) << one.name << " and " << other.name << ": " << a[i].name << " differs by "
                                             << found.relative_error << ", bound " << bound;
    }
  }
  std::vector<Kernel> kernels() const {
    std::vector<Kernel> all = {portable, chunk, hopper, segment};
    if (variant.decays_by_key()) all.push_back(prepared), all.push_back(cluster);
    return all;
  }
};

// Bounds are 1.25 times what is measured; two results that are rounded by themselves differ by more than each from the truth.
TEST_P(Agreement, LevelsOfAFamily) {
  expect_close(portable, chunk, 2.9e-3, 1e-7);
  expect_close(hopper, segment, 8.4e-5, 1.2e-7);
  if (!variant.decays_by_key()) return;
  expect_close(hopper, prepared, 4.2e-3, 1e-7);
  expect_close(hopper, cluster, 4e-3, 1e-7);
}

TEST_P(Agreement, Families) { expect_close(portable, hopper, 4e-3, 1.42e-3); }

TEST_P(Agreement, BitsDoNotDependOnTheScheduleOfThreads) {
  for (const Kernel& kernel : kernels()) {
    const Operator op = operator_of(variant, kernel, 1);
    const std::vector<HostTensor> first = outputs_of(op, problem), again = outputs_of(op, problem),
                                  other = outputs_of(operator_of(variant, kernel, 6), problem);
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(first[i].bytes, again[i].bytes) << kernel.name << ": " << first[i].name << ", a second run";
      EXPECT_EQ(first[i].bytes, other[i].bytes) << kernel.name << ": " << first[i].name << ", another schedule";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Decays, Agreement,
                         testing::Values(&variants::linear, &variants::retnet, &variants::simple_gla, &variants::gla),
                         [](const auto& info) { return std::string(info.param->name.view()); });

}  // namespace
}  // namespace rankone::test
