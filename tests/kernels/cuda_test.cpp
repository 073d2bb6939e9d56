// SPDX-License-Identifier: MIT
// The same matrix on a GPU, where there is one, and sizes that only a GPU has time for.
#include <optional>

#include <rankone/check.hpp>

#include "runtime/backend.hpp"
#include "tests/kernels/extremes.hpp"
#include "tests/kernels/loads.hpp"

namespace rankone::test {
namespace {

class OnCuda : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    try {
      device_ = Device::cuda();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  void run(int key_dim, int value_dim, int chunk, std::uint64_t seed) {
    const auto device_of = [&](std::uint64_t) { return *device_; };
    expect_right_at_all_lengths(GetParam(), device_of, key_dim, value_dim, chunk, seed);
  }
  std::optional<Device> device_;
};

TEST_P(OnCuda, AgreesWithTheRecurrence) {
  run(48, 40, 32, 100);
  run(21, 75, 16, 110);
  run(128, 128, 64, 120);
}

TEST_P(OnCuda, AgreesOverALongSequence) {
  const Case& c = GetParam();
  const CompileOptions options = options_of(c, 128, 128, 0);
  Problem problem = random_problem(*c.variant, options,
                                   {.batch = 2,
                                    .tokens = 4096,
                                    .heads = 2,
                                    .value_heads = 2,
                                    .key_dim = options.key_dim,
                                    .value_dim = 128,
                                    .sequences = 2},
                                   {.seed = 130});
  expect_right(compile(*c.variant, options, *device_), problem, c.name());
}

// Token by token.
class RecurrentOnCuda : public OnCuda {};

TEST_P(RecurrentOnCuda, AgreesWithTheRecurrence) {
  run(48, 40, 32, 300);
  run(21, 75, 16, 310);
  run(128, 128, 64, 320);
  run(256, 16, 16, 330);
}

// Every pass that a variant admits, under the bounds of check(): uneven sequences in one row, and rows of which some do
// nothing.
class PassesOnCuda : public OnCuda {
 protected:
  void check_all(const CheckOptions& how) {
    const Case& c = GetParam();
    const Operator op = compile(*c.variant, options_of(c, 48, 40, 0), *device_);
    if (!op.supports(how.pass)) return;
    const CheckReport report = check(op, how);
    for (const TensorError& each : report.tensors)
      EXPECT_TRUE(each.ok) << c.name() << ": " << each.name << " is off by " << each.relative_error << ", bound "
                           << each.bound << ", on " << each.inputs << " inputs";
    EXPECT_TRUE(report.ok);
  }
};

TEST_P(PassesOnCuda, BackwardAgrees) {
  check_all({.shape = {.batch = 2, .tokens = 150, .heads = 2, .value_heads = 4}, .pass = Pass::backward});
  check_all({.shape = {.batch = 1, .tokens = 150, .heads = 1}, .seed = 2, .packed = true, .pass = Pass::backward});
}

TEST_P(PassesOnCuda, DecodeAgrees) {
  check_all({.shape = {.batch = 5, .tokens = 1, .heads = 2, .value_heads = 4}, .pass = Pass::decode});
  check_all({.shape = {.batch = 70, .tokens = 4, .heads = 1}, .seed = 2, .pass = Pass::decode});
}

class HopperOnCuda : public OnCuda {
 protected:
  void SetUp() override {
    OnCuda::SetUp();
    if (device_ && device_->arch() != "sm_90a")
      GTEST_SKIP() << "the Hopper family serves sm_90a, this is " << device_->arch();
  }
  // Whole and in segments.
  void run_long(int dim, std::int64_t heads, std::uint64_t seed) {
    for (const Level level : {Level::serial, Level::segment}) {
      Case c = GetParam();
      c.level = level;
      const CompileOptions options = options_of(c, dim, dim, 0);
      Problem problem = random_problem(*c.variant, options,
                                       {.batch = 2,
                                        .tokens = 4096,
                                        .heads = heads,
                                        .value_heads = heads,
                                        .key_dim = dim,
                                        .value_dim = dim,
                                        .sequences = 2},
                                       {.seed = seed});
      spread_gates(problem, seed);
      expect_right(compile(*c.variant, options, *device_), problem, c.name());
    }
  }
};

TEST_P(HopperOnCuda, AgreesWithTheRecurrence) {
  run(64, 32, 32, 200);
  run(80, 96, 64, 210);
  run(128, 128, 64, 220);
  run(256, 192, 32, 230);
}

TEST_P(HopperOnCuda, AgreesOverALongSequence) { run_long(128, 2, 240); }

class ClusterOnCuda : public HopperOnCuda {};

TEST_P(ClusterOnCuda, AgreesWithTheRecurrence) {
  run(128, 128, 32, 250);
  run(128, 240, 64, 260);
}

TEST_P(ClusterOnCuda, AgreesOverALongSequence) {
  run_long(128, 1, 280);
  run_long(256, 1, 290);  // prepared, or shared in segments
}

class PreparedOnCuda : public HopperOnCuda {};

TEST_P(PreparedOnCuda, AgreesWithTheRecurrence) {
  run(64, 32, 32, 300);
  run(80, 96, 64, 310);
  run(128, 128, 64, 320);
  run(256, 512, 32, 330);
}

TEST_P(PreparedOnCuda, AgreesOverALongSequence) {
  const CompileOptions options = options_of(GetParam(), 256, 512, 0);
  for (const bool packed : {false, true}) {
    Problem problem = random_problem(*GetParam().variant, options,
                                     {.batch = packed ? 1 : 2,
                                      .tokens = 4096,
                                      .heads = 1,
                                      .value_heads = 2,
                                      .key_dim = 256,
                                      .value_dim = 512,
                                      .sequences = packed ? 1 : 2},
                                     {.seed = 340, .packed = packed});
    spread_gates(problem, 340);
    expect_right(compile(*GetParam().variant, options, *device_), problem, GetParam().name());
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, RecurrentOnCuda, testing::ValuesIn(recurrent_cases()),
                         [](const auto& info) { return info.param.name(); });
INSTANTIATE_TEST_SUITE_P(Catalogue, PassesOnCuda, testing::ValuesIn(recurrent_cases()),
                         [](const auto& info) { return info.param.name(); });
INSTANTIATE_TEST_SUITE_P(Prepared, PreparedOnCuda, testing::ValuesIn(prepared_cases()),
                         [](const auto& info) { return info.param.name(); });
INSTANTIATE_TEST_SUITE_P(Clusters, ClusterOnCuda, testing::ValuesIn(cluster_cases()),
                         [](const auto& info) { return info.param.name(); });

TEST(HopperRangeOnCuda, KeepsItsDigits) {
  std::optional<Device> device;
  try {
    device = Device::cuda();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  if (device->arch() != "sm_90a") GTEST_SKIP() << "the Hopper family serves sm_90a, this is " << device->arch();
  for (const Extreme& extreme : extremes) expect_right_at(extreme, *device);
}

TEST(HopperLoadsOnCuda, TensorMapsChangeNothing) {
  const std::optional<Device> device = gpu();
  if (!device || device->arch() != "sm_90a") GTEST_SKIP() << "the Hopper family serves sm_90a";
  for (const bool prepared : {false, true}) expect_the_same_without_maps(*device, variants::gla_sigmoid, "x", prepared);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, HopperOnCuda, testing::ValuesIn(hopper_cases(Level::serial)),
                         [](const auto& info) { return info.param.name(); });

INSTANTIATE_TEST_SUITE_P(Catalogue, OnCuda, testing::ValuesIn(catalogue_cases()),
                         [](const auto& info) { return info.param.name(); });

}  // namespace
}  // namespace rankone::test
