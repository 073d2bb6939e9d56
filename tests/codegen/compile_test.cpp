// SPDX-License-Identifier: MIT
// Emitted text through real compilers: NVRTC for every architecture, with budgets, and the host compiler.
//
// The whole matrix takes minutes: by default a slice of it runs, with RANKONE_TEST_ALL=1 all.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "codegen/bounds.hpp"
#include "codegen/choose.hpp"
#include "codegen/family.hpp"
#include "codegen/manifest.hpp"
#include "codegen/names.hpp"
#include "runtime/cpu/host_compiler.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "tests/codegen/helpers.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone {
namespace {

struct Case {
  CompileOptions options;
  std::string arch;
  Pass pass = Pass::forward;
};

struct Sizes {
  int keys, values;
};
// 1.25 times what the slowest kernel of each family takes, in compiles of the yardstick below: machines differ, and so does
// what else they do. Measured: 5.0 (hgrn2, f16) and 7.6 (the same).
constexpr double portable_budget = 6.25, hopper_budget = 9.5;
constexpr int spill_budget = 128;  // bytes: a few registers that wait outside the inner loops, most at ragged sizes
constexpr int registers_of_a_block = 65536;
constexpr Sizes aligned{128, 128}, half{64, 64}, odd{20, 24}, largest{256, 512};

CompileOptions options_of(Sizes sizes, dtype type, Precision precision, Level level) {
  return {.key_dim = sizes.keys,
          .value_dim = sizes.values,
          .dtype = type,
          .precision = precision,
          .pins = {.level = level}};
}

// Shared memory of sm_86 is the smallest and of sm_90a the largest, so these two see all schedules.
// By default each variant takes its `turn` in the types.
std::vector<Case> cases(const Variant& variant, Level level, std::size_t turn) {
  std::vector<Case> list;
  const auto add = [&](const std::string& arch, Sizes sizes, dtype type, Precision precision = Precision::tf32) {
    const CompileOptions options = options_of(sizes, type, precision, level);
    list.push_back({options, arch});
    // The same text at both levels.
    if (level == Level::serial && why_not_admitted(variant, Pass::states).empty())
      list.push_back({options, arch, Pass::states});
  };
  const bool all = test::whole_matrix();
  for (const ArchLimits& limits : known_archs()) {
    const std::string& arch = limits.arch;
    if (all || arch == "sm_90a" || variant.name == Name("gla_sigmoid")) add(arch, aligned, dtype::bf16);
    if (arch == "sm_90a" && level == Level::serial)
      for (const Sizes sizes : all ? std::vector{aligned, half} : std::vector{turn % 2 == 0 ? aligned : half})
        list.push_back({options_of(sizes, dtype::f16, Precision::tf32, level), arch});
    if (all && arch == "sm_90a" && level == Level::serial && why_beyond_f16(variant).empty() &&
        part_beyond(variant, hopper_family.parts).empty())
      list.push_back({options_of(aligned, dtype::f16, Precision::tf32, Level::segment), arch});
    for (const dtype type : {dtype::f16, dtype::f32})
      if (all || (arch == "sm_80" && level == Level::serial && (type == dtype::f16) == (turn / 2 % 2 == 0)))
        add(arch, aligned, type);
    if (!all || (arch != "sm_86" && arch != "sm_90a")) continue;
    add(arch, aligned, dtype::f32, Precision::f32);
    for (const Sizes sizes : {odd, largest})
      for (const dtype type : {dtype::bf16, dtype::f32}) add(arch, sizes, type);
  }
  return list;
}

std::string label_of(const Case& each, const Program& program) {
  return "K=" + std::to_string(each.options.key_dim) + " V=" + std::to_string(each.options.value_dim) + " " +
         name_of(each.options.dtype) + (each.options.precision == Precision::f32 ? " exact " : " ") + each.arch + " " +
         std::string(name_in(pass_names, each.pass)) + " " + to_string(program.schedule);
}

// CPU time of this thread, in which NVRTC works: tests run side by side, so that the clock on the wall says little.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// A cubin names the section of each of its kernels so.
bool has_code_of(const std::string& cubin, const Kernel& kernel) {
  return holds(cubin, std::string(".text.") + kernel.entry + '\0');
}

// A text that never changes: what it takes says how fast the machine is at this moment.
constexpr const char* yardstick = R"(extern "C" __global__ void yardstick(float* values) {
  float kept[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) kept[i] = values[i * 32 + threadIdx.x];
#pragma unroll
  for (int step = 0; step < 24; ++step) {
#pragma unroll
    for (int i = 0; i < 64; ++i) kept[i] = fmaf(kept[i], kept[(i * 7 + step) % 64], kept[(i + 13) % 64]);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 64; ++i) values[i * 32 + threadIdx.x] = kept[i];
})";

double seconds_of(const std::function<void()>& work) {
  const double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

// The least that the yardstick has taken so far in this process, which makes others look slow rather than fast: what is
// within its budget by this measure needs no measure of its own. Of what is not, both are taken again.
class Yardstick {
 public:
  double seconds(const cuda::Nvrtc& compiler, const std::string& arch, bool again) {
    double& least = least_.try_emplace(arch, unknown).first->second;
    if (least == unknown || again) {
      const double now = seconds_of([&] { compiler.compile(yardstick, arch, "yardstick", ""); });
      least = std::min(least, now);
      return now;
    }
    return least;
  }

 private:
  static constexpr double unknown = 1e9;
  std::map<std::string, double> least_;
};

void expect_within_budgets(const cuda::Nvrtc& compiler, const Program& program) {
  static Yardstick measure;
  static std::set<std::pair<std::string, std::string>> seen;  // one kernel of one text, compiled for one architecture
  const std::string text = emit(program);
  const double allowed = program.schedule.family == Family::hopper ? hopper_budget : portable_budget;
  for (std::size_t i = 0; i < program.kernels.size(); ++i) {
    const Kernel& kernel = program.kernels[i];
    if (!seen.emplace(program.arch + "\n" + text, kernel.entry).second) continue;
    cuda::CompiledText result;
    double least = 1e9;
    for (int attempt = 0; attempt < 8 && least > allowed; ++attempt) {
      const double unit = measure.seconds(compiler, program.arch, attempt > 0);
      const double taken =
          seconds_of([&] { result = compiler.compile(text, program.arch, "kernel", option_for(program, i)); });
      least = std::min(least, taken / unit);
    }
    EXPECT_LE(least, allowed) << kernel.entry << ", in compiles of a text that never changes";
    ASSERT_EQ(result.kernels.size(), 1u) << kernel.entry;
    const cuda::KernelResources& found = result.kernels.front();
    EXPECT_EQ(found.entry, kernel.entry);
    EXPECT_LE(found.spill_bytes, spill_budget) << kernel.entry;
    EXPECT_LE(found.registers * kernel.threads, registers_of_a_block) << kernel.entry;
    EXPECT_EQ(found.shared_bytes, 0) << kernel.entry;
    EXPECT_TRUE(holds(result.cubin, launch_manifest(program))) << "metadata is missing from " << kernel.entry;
  }
}

// One for each variant and level, so that they run side by side.
class ByNvrtc : public testing::TestWithParam<std::tuple<std::size_t, Level>> {};

TEST_P(ByNvrtc, StaysWithinBudgets) {
  const cuda::Nvrtc* compiler = nullptr;
  try {
    compiler = &cuda::nvrtc();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const auto [index, level] = GetParam();
  const Variant& variant = catalogue()[index];
  RANKONE_SKIP_UNLESS(test::runs_in_turn(index + (level == Level::chunk), 3));
  if (!part_without_chunks(variant).empty()) {
    if (level == Level::chunk) return;  // it has one form
    const std::vector<dtype> types = {dtype::bf16, dtype::f16, dtype::f32};
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (!test::whole_matrix() && i != index % types.size()) continue;
      const dtype type = types[i];
      const Program program =
          program_of(variant, usual_options(variant, {.key_dim = 128, .value_dim = 128, .dtype = type}), "sm_80");
      if (compiler->supports(program.arch)) expect_within_budgets(*compiler, program);
    }
    return;
  }
  if (level == Level::chunk && variant.non_causal_) return;  // likewise
  int compiled = 0;
  for (const Case& each : cases(variant, level, index)) {
    if (!compiler->supports(each.arch)) continue;
    const Program program = program_of(variant, each.options, each.arch, each.pass);
    SCOPED_TRACE(label_of(each, program));
    expect_within_budgets(*compiler, program);
    if (level == Level::serial && each.options.dtype == dtype::bf16 && why_not_admitted(variant, Pass::combine).empty())
      expect_within_budgets(*compiler, program_of(variant, each.options, program.arch, Pass::combine));
    ++compiled;
  }
  EXPECT_GT(compiled, 0);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, ByNvrtc,
                         testing::Combine(testing::Range(std::size_t{0}, catalogue().size()),
                                          testing::Values(Level::serial, Level::chunk)),
                         [](const auto& info) {
                           return std::string(catalogue()[std::get<0>(info.param)].name.view()) + "_" +
                                  std::string(name_in(level_names, std::get<1>(info.param)));
                         });

// In the short run those that a suite times, and one that reads what it erases by a row of its own.
TEST(Compile, DecodingSpillsFewRegisters) {
  const cuda::Nvrtc* compiler = nullptr;
  try {
    compiler = &cuda::nvrtc();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  if (!compiler->supports("sm_90a")) GTEST_SKIP() << "this NVRTC does not know sm_90a";
  constexpr std::string_view usual[] = {"linear", "simple_gla", "gla", "gated_delta", "kda", "rwkv7"};
  for (const Variant& variant : catalogue()) {
    if (!why_not_admitted(variant, Pass::decode).empty()) continue;
    if (!test::whole_matrix() && std::ranges::find(usual, variant.name.view()) == std::end(usual)) continue;
    const CompileOptions options = usual_options(variant, {.key_dim = 128, .value_dim = 128});
    const Program program =
        lower(variant, options, decode_schedule(variant, options, "sm_90a"), "sm_90a", Pass::decode);
    // Where each element decays by itself, parameters of all of them stay in registers: measured 600 (mamba1).
    const bool has_full_decay = variant.decays_by_key() && variant.decays_by_value() && !decay_sides(variant);
    const auto result = compiler->compile(emit(program), program.arch, "kernel", option_for(program, 0));
    ASSERT_EQ(result.kernels.size(), 1u);
    EXPECT_LE(result.kernels.front().spill_bytes, has_full_decay ? 5 * spill_budget : spill_budget)
        << variant.name.view();
  }
}

// Formulas that no variant of the catalogue has in chunks.
TEST(Compile, FormulasOfQueriesValuesAndOutputsStayWithinBudgets) {
  const cuda::Nvrtc* compiler = nullptr;
  try {
    compiler = &cuda::nvrtc();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  constexpr Variant formulas = variant("formulas")
                                   .decay(per_key(log_sigmoid(input("x"))))
                                   .query(query() * sigmoid(input("r")))
                                   .value(silu(input("w")) * value())
                                   .output(read() * sigmoid(input("z")) + param("D") * value())
                                   .reversed()
                                   .checked();
  for (const char* arch : {"sm_80", "sm_90a"})
    for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32})
      for (const Level level : {Level::serial, Level::chunk}) {
        if (!compiler->supports(arch)) continue;
        const Program program = program_of(formulas, options_of(aligned, type, Precision::tf32, level), arch);
        SCOPED_TRACE(program.name);
        expect_within_budgets(*compiler, program);
      }
}

TEST(Compile, EachKernelAloneAndAllTogether) {
  const cuda::Nvrtc* compiler = nullptr;
  try {
    compiler = &cuda::nvrtc();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  for (const Program& program : programs_of_several_kernels()) {
    const std::string text = emit(program);
    for (std::size_t i = 0; i < program.kernels.size(); ++i) {
      const std::string alone = compiler->compile(text, program.arch, "kernel", option_for(program, i)).cubin;
      for (const Kernel& kernel : program.kernels)
        EXPECT_EQ(has_code_of(alone, kernel), &kernel == &program.kernels[i]) << kernel.entry;
      EXPECT_TRUE(holds(alone, launch_manifest(program))) << program.kernels[i].entry;
    }
    const cuda::CompiledText whole = compiler->compile(text, program.arch, "kernel");
    EXPECT_EQ(whole.kernels.size(), program.kernels.size());
    for (const Kernel& kernel : program.kernels) EXPECT_TRUE(has_code_of(whole.cubin, kernel)) << kernel.entry;
    EXPECT_TRUE(holds(whole.cubin, launch_manifest(program)));
  }
}

TEST(Compile, ByTheHostCompiler) {
  HostCompiler compiler;
  try {
    compiler = find_host_compiler();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  for (const Variant& variant : catalogue()) {
    if (!test::whole_matrix() && variant.name != Name("hgrn2") && variant.name != Name("mamba2")) continue;
    for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32}) {
      CompileOptions options = options_of(odd, type, Precision::tf32, Level::chunk);
      if (!part_without_chunks(variant).empty() || variant.non_causal_) options.pins = {};
      const Program program = program_of(variant, options);
      const std::string object = compile_on_host(compiler, emit(program));
      for (const Kernel& kernel : program.kernels) EXPECT_TRUE(holds(object, kernel.entry));
    }
  }
}

// As a user would, who has the exported text and the toolkit.
TEST(Compile, ByNvccAlone) {
  std::string nvcc = "/usr/local/cuda/bin/nvcc";
  if (!std::filesystem::exists(nvcc)) nvcc = "nvcc";
  if (std::system((nvcc + " --version > /dev/null 2>&1").c_str()) != 0) GTEST_SKIP() << "nvcc is not installed";
  const std::string path = testing::TempDir() + "rankone_codegen_" + std::to_string(getpid());
  const Program program = program_of(variants::hgrn2, options_of(odd, dtype::bf16, Precision::tf32, Level::chunk));
  std::ofstream(path + ".cu") << emit(program);
  for (const std::string& option : {std::string(), option_for(program, 1)}) {
    const std::string command =
        nvcc + " -gencode=arch=compute_90a,code=sm_90a " + option + " -c " + path + ".cu -o " + path + ".o";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }
  std::filesystem::remove(path + ".cu");
  std::filesystem::remove(path + ".o");
}

}  // namespace
}  // namespace rankone
