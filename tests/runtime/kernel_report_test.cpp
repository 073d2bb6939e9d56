// SPDX-License-Identifier: MIT
// Emitted text through NVRTC and the cache, for architectures that are not here.
#include "runtime/kernel_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include <rankone/dsl/catalogue.hpp>
#include <rankone/error.hpp>

#include "runtime/cuda/cubin_entry.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "scratch.hpp"

namespace rankone {
namespace {

class KernelReports : public testing::Test {
 protected:
  void SetUp() override {
    try {
      cuda::nvrtc();
    } catch (const Error&) {
      GTEST_SKIP() << "no NVRTC on this machine";
    }
  }
  const test::ScratchFolder scratch;
  const test::EnvironmentScope cache{"RANKONE_CACHE_DIR", scratch.path().c_str()};
  const test::EnvironmentScope system{"RANKONE_SYSTEM_CACHE_DIR", "/nonexistent"};

  static Plan plan_of(const char* arch, Level level = Level::serial) {
    CompileOptions options{.key_dim = 64, .value_dim = 64, .dtype = dtype::bf16};
    options.level = level;
    return lower(variants::simple_gla, options, default_schedule(variants::simple_gla, options, arch), arch);
  }
};

TEST_F(KernelReports, EachKernelHasItsFigures) {
  const auto reports = compile_kernels(plan_of("sm_80"));
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports[0].name, "simple_gla_forward");
  EXPECT_EQ(reports[0].pass, "forward");
  for (const KernelReport& report : reports) {
    EXPECT_EQ(report.arch, "sm_80");
    EXPECT_GT(report.registers, 0);
    EXPECT_GT(report.compile_ms, 0);
    EXPECT_FALSE(report.cached);
  }
  EXPECT_GT(reports[0].shared_bytes, 0);
  EXPECT_EQ(compile_kernels(plan_of("sm_80", Level::chunk))[0].pass, "forward")
      << "states serve the chunk level's forward";
}

TEST_F(KernelReports, AHitTakesAtMostFiveMilliseconds) {
  const Plan plan = plan_of("sm_90a");
  const std::string text = emit(plan);
  const BuiltKernels first = build_cubin(plan, text);
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const BuiltKernels again = build_cubin(plan, text);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    EXPECT_TRUE(again.kernels[0].cached);
    EXPECT_EQ(again.cubin, first.cubin);
    EXPECT_EQ(again.key, first.key);
    EXPECT_EQ(again.kernels[0].registers, first.kernels[0].registers);
  }
  EXPECT_LE(best, 5.0);
  std::printf("cache hit: %.2f ms\n", best);
}

TEST_F(KernelReports, ArchitecturesHaveEntriesOfTheirOwn) {
  const Plan ampere = plan_of("sm_80"), hopper = plan_of("sm_90a");
  EXPECT_NE(build_cubin(ampere, emit(ampere)).key, build_cubin(hopper, emit(hopper)).key);
}

TEST_F(KernelReports, ThreadsCompileOnce) {
  const Plan plan = plan_of("sm_86");
  std::vector<BuiltKernels> built(4);
  {
    std::vector<std::jthread> threads;
    for (BuiltKernels& each : built) threads.emplace_back([&] { each = build_cubin(plan, emit(plan)); });
  }
  // Two compilations would differ in their milliseconds.
  for (const BuiltKernels& each : built) EXPECT_EQ(each.kernels[0].compile_ms, built[0].kernels[0].compile_ms);
}

TEST(CubinEntry, RoundTripsAndRefusesAnotherForm) {
  const cuda::CompiledText compiled{std::string("\x7f"
                                                "ELF\n\0binary",
                                                12),
                                    "log",
                                    {{"a", 1, 2, 3}, {"b", 40, 0, 8}},
                                    12.5};
  const std::string bytes = cuda::pack_entry(compiled);
  const cuda::CompiledText read = cuda::unpack_entry(bytes);
  EXPECT_EQ(read.cubin, compiled.cubin);
  EXPECT_EQ(read.milliseconds, 12.5);
  ASSERT_EQ(read.kernels.size(), 2u);
  EXPECT_EQ(read.kernels[1].entry, "b");
  EXPECT_EQ(read.kernels[1].spill_bytes, 8);
  EXPECT_THROW(cuda::unpack_entry("something else"), Error);
  EXPECT_THROW(cuda::unpack_entry(bytes.substr(0, 60)), Error);
}

}  // namespace
}  // namespace rankone
