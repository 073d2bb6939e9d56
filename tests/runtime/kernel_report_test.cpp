// SPDX-License-Identifier: MIT
// Emitted text through NVRTC and the cache, for architectures that are not here.
#include "runtime/kernel_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include <rankone/dsl/catalogue.hpp>
#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "runtime/cache/file_cache.hpp"
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

  static Program program_of(const char* arch, Level level = Level::serial) {
    CompileOptions options{.key_dim = 64, .value_dim = 64, .dtype = dtype::bf16};
    options.pins.level = level;
    return lower(variants::simple_gla, options, default_schedule(variants::simple_gla, options, arch), arch);
  }
};

TEST_F(KernelReports, EachKernelHasItsFigures) {
  for (const Level level : {Level::serial, Level::chunk}) {
    const Program program = program_of("sm_80", level);
    const auto reports = compile_kernels(program);
    ASSERT_EQ(reports.size(), program.kernels.size());
    for (std::size_t i = 0; i < reports.size(); ++i) {
      EXPECT_EQ(reports[i].name, program.kernels[i].entry);
      EXPECT_EQ(reports[i].pass, "forward") << "states serve the chunk level's forward";
      EXPECT_EQ(reports[i].arch, "sm_80");
      EXPECT_GT(reports[i].registers, 0);
      EXPECT_GT(reports[i].shared_bytes, 0);
      EXPECT_GT(reports[i].compile_ms, 0);
      EXPECT_FALSE(reports[i].cached);
    }
  }
}

TEST_F(KernelReports, AHitTakesAtMostFiveMilliseconds) {
  const Program program = program_of("sm_90a", Level::chunk);
  const std::string text = emit(program);
  const std::vector<BuiltCubin> first = build_kernels(program, text);
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<BuiltCubin> again = build_kernels(program, text);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    ASSERT_EQ(again.size(), first.size());
    for (std::size_t k = 0; k < again.size(); ++k) {
      EXPECT_TRUE(again[k].kernels[0].cached);
      EXPECT_EQ(again[k].cubin, first[k].cubin);
      EXPECT_EQ(again[k].key, first[k].key);
      EXPECT_EQ(again[k].kernels[0].registers, first[k].kernels[0].registers);
      EXPECT_EQ(again[k].kernels[0].compile_ms, first[k].kernels[0].compile_ms);
    }
  }
  EXPECT_LE(best, 5.0);
  std::printf("cache hit: %.2f ms\n", best);
}

TEST_F(KernelReports, EachKernelHasACubinOfItsOwn) {
  const Program program = program_of("sm_90a", Level::segment);
  const std::string text = emit(program);
  const BuiltCubin whole = build_whole(program, text);
  ASSERT_EQ(whole.kernels.size(), 3u);
  const std::vector<BuiltCubin> built = build_kernels(program, text);
  ASSERT_EQ(built.size(), program.kernels.size());
  std::set<std::string> keys{whole.key};
  for (std::size_t i = 0; i < built.size(); ++i) {
    ASSERT_EQ(built[i].kernels.size(), 1u);
    EXPECT_EQ(built[i].kernels[0].name, program.kernels[i].entry);
    EXPECT_FALSE(built[i].kernels[0].cached) << "the whole text is another entry";
    EXPECT_EQ(built[i].kernels[0].registers, whole.kernels[i].registers) << "the same code, alone or not";
    EXPECT_TRUE(keys.insert(built[i].key).second);
    EXPECT_EQ(whole.kernels[i].compile_ms, whole.kernels[0].compile_ms);
    for (const Kernel& kernel : program.kernels) {
      const std::string section = ".text." + kernel.entry + '\0';
      EXPECT_EQ(built[i].cubin.find(section) != std::string::npos, kernel.entry == program.kernels[i].entry);
      EXPECT_NE(whole.cubin.find(section), std::string::npos);
    }
  }
  EXPECT_EQ(FileCache::standard().list().size(), keys.size());
  EXPECT_TRUE(build_whole(program, text).kernels[0].cached);
}

TEST_F(KernelReports, AKernelWithoutOthersIsTheWholeText) {
  const Program program = program_of("sm_80");
  const std::string text = emit(program);
  const std::vector<BuiltCubin> built = build_kernels(program, text);
  ASSERT_EQ(built.size(), 1u);
  const BuiltCubin whole = build_whole(program, text);
  EXPECT_EQ(whole.key, built[0].key);
  EXPECT_TRUE(whole.kernels[0].cached);
}

TEST_F(KernelReports, ArchitecturesHaveEntriesOfTheirOwn) {
  const Program ampere = program_of("sm_80"), hopper = program_of("sm_90a");
  EXPECT_NE(build_whole(ampere, emit(ampere)).key, build_whole(hopper, emit(hopper)).key);
}

TEST_F(KernelReports, ThreadsCompileEachKernelOnce) {
  const Program program = program_of("sm_86", Level::chunk);
  std::vector<std::vector<BuiltCubin>> built(4);
  {
    std::vector<std::jthread> threads;
    for (auto& each : built) threads.emplace_back([&] { each = build_kernels(program, emit(program)); });
  }
  // Two compilations would differ in their milliseconds.
  for (const auto& each : built)
    for (std::size_t i = 0; i < program.kernels.size(); ++i)
      EXPECT_EQ(each.at(i).kernels.at(0).compile_ms, built[0][i].kernels[0].compile_ms);
  EXPECT_EQ(FileCache::standard().list().size(), program.kernels.size());
}

TEST_F(KernelReports, AnErrorInOneKernelComesBack) {
  const Program program = program_of("sm_80", Level::chunk);
  for (std::size_t broken = 0; broken < program.kernels.size(); ++broken) {
    const std::string text =
        emit(program) + "#if RANKONE_ONLY == " + std::to_string(broken) + "\n#error stop here\n#endif\n";
    const std::size_t before = FileCache::standard().list().size();
    try {
      build_kernels(program, text);
      ADD_FAILURE() << broken;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::compile_failed);
      EXPECT_NE(std::string(error.what()).find("stop here"), std::string::npos) << error.what();
    }
    EXPECT_EQ(FileCache::standard().list().size(), before + 1) << "the other one is whole, and nothing still runs";
  }
}

TEST(CubinEntry, RoundTripsAndRefusesAnotherForm) {
  const cuda::CompiledText compiled{std::string("\x7f"
                                                "ELF\n\0binary",
                                                12),
                                    "log",
                                    {{"a", 1, 2, 3, {"C7512: slow", "and so on"}}, {"b", 40, 0, 8}},
                                    12.5};
  const std::string bytes = cuda::pack_entry(compiled);
  const cuda::CompiledText read = cuda::unpack_entry(bytes);
  EXPECT_EQ(read.cubin, compiled.cubin);
  EXPECT_EQ(read.milliseconds, 12.5);
  ASSERT_EQ(read.kernels.size(), 2u);
  EXPECT_EQ(read.kernels[1].entry, "b");
  EXPECT_EQ(read.kernels[1].spill_bytes, 8);
  EXPECT_EQ(read.kernels[0].remarks, (std::vector<std::string>{"C7512: slow", "and so on"}));
  EXPECT_TRUE(read.kernels[1].remarks.empty());
  EXPECT_THROW(cuda::unpack_entry("something else"), Error);
  EXPECT_THROW(cuda::unpack_entry(bytes.substr(0, 60)), Error);
}

}  // namespace
}  // namespace rankone
