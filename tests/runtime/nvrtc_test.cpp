// SPDX-License-Identifier: MIT
// NVRTC and the driver: found, not found, too old, and what they say of a kernel.
#include "runtime/cuda/nvrtc.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <rankone/error.hpp>

#include "runtime/cuda/driver.hpp"
#include "scratch.hpp"

namespace rankone::cuda {
namespace {

using test::EnvironmentScope;
using test::ScratchFolder;

const char* const twice = R"(
extern "C" __global__ void twice(float* x) { x[blockIdx.x * blockDim.x + threadIdx.x] *= 2.0f; }
extern "C" __global__ void through_shared(float* x) {
  __shared__ float tile[256];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = tile[255 - threadIdx.x];
}
)";

std::string refusal(const std::vector<NvrtcCandidate>& candidates) {
  try {
    const Nvrtc found(candidates);
    return "found " + found.path();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    return error.what();
  }
}

const Nvrtc* find() {
  try {
    return &nvrtc();
  } catch (const Error&) {
    return nullptr;
  }
}
#define REQUIRE_NVRTC \
  if (find() == nullptr) GTEST_SKIP() << "no NVRTC on this machine"

TEST(NvrtcSearch, NonsenseInTheSettingIsRefusedAndNothingElseIsTried) {
  const EnvironmentScope scope("RANKONE_NVRTC", "/nonexistent/libnvrtc.so");
  const std::string words = refusal(nvrtc_candidates());
  EXPECT_EQ(words.find("RANKONE_NVRTC: NVRTC does not load from there; given /nonexistent/libnvrtc.so ("), 0u) << words;
}

TEST(NvrtcSearch, AFileThatIsNoLibraryIsRefused) {
  const ScratchFolder scratch;
  std::ofstream(scratch.path() / "libnvrtc.so.13") << "not a library";
  const EnvironmentScope scope("RANKONE_NVRTC", scratch.path().c_str());
  EXPECT_NE(refusal(nvrtc_candidates()).find("NVRTC does not load from there"), std::string::npos);
}

TEST(NvrtcSearch, ALibraryThatIsNotNvrtcIsRefused) {
  EXPECT_NE(refusal({{"libm.so.6", "test", true}}).find("NVRTC does not load from there"), std::string::npos);
}

TEST(NvrtcSearch, NothingFoundListsWhatWasTried) {
  const std::string words = refusal({{"/nowhere", "CUDA_PATH"}, {"libnowhere.so", "loader"}});
  EXPECT_NE(words.find("none of /nowhere, libnowhere.so"), std::string::npos) << words;
  EXPECT_NE(words.find("nvidia-cuda-nvrtc"), std::string::npos) << words;
}

TEST(NvrtcSearch, TheOrderIsSettingsWheelLoaderToolkit) {
  const EnvironmentScope none("RANKONE_NVRTC", nullptr), path("CUDA_PATH", "/one"), home("CUDA_HOME", "/two");
  const auto all = nvrtc_candidates();
  ASSERT_GE(all.size(), 5u);
  EXPECT_EQ(all[0].place, "/one");
  EXPECT_EQ(all[1].place, "/two");
  EXPECT_EQ(all[2].origin, "wheel");
  EXPECT_EQ(all[all.size() - 2].place, "libnvrtc.so.12");
  EXPECT_EQ(all.back().place, "/usr/local/cuda");
}

TEST(Nvrtc, CompilesAndReportsResources) {
  REQUIRE_NVRTC;
  const CompiledText compiled = nvrtc().compile(twice, "sm_80", "twice");
  EXPECT_EQ(compiled.cubin.substr(1, 3), "ELF");
  ASSERT_EQ(compiled.kernels.size(), 2u);
  for (const KernelResources& kernel : compiled.kernels) {
    EXPECT_GT(kernel.registers, 0);
    EXPECT_EQ(kernel.spill_bytes, 0);
    EXPECT_EQ(kernel.shared_bytes, kernel.entry == "through_shared" ? 1024 : 0);
  }
  EXPECT_GT(compiled.milliseconds, 0);
}

TEST(Nvrtc, TheSameTextGivesTheSameCubin) {
  REQUIRE_NVRTC;
  EXPECT_EQ(nvrtc().compile(twice, "sm_80", "a").cubin, nvrtc().compile(twice, "sm_80", "a").cubin);
}

TEST(Nvrtc, RefusesAnArchitectureThatItDoesNotKnow) {
  REQUIRE_NVRTC;
  for (const char* arch : {"sm_10", "sm_", "pentium", ""}) {
    try {
      nvrtc().compile(twice, arch, "twice");
      ADD_FAILURE() << arch;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      EXPECT_NE(error.accepted().find("sm_80"), std::string::npos);
    }
  }
}

TEST(Nvrtc, AnErrorInTheTextIsASentenceWithItsLine) {
  REQUIRE_NVRTC;
  try {
    nvrtc().compile("extern \"C\" __global__ void broken() {\n  undeclared();\n}\n", "sm_80", "broken");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::compile_failed);
    EXPECT_NE(error.given().find("broken.cu(2): error"), std::string::npos) << error.what();
  }
}

TEST(Nvrtc, ThreadsCompileAtOnce) {
  REQUIRE_NVRTC;
  const std::string expected = nvrtc().compile(twice, "sm_80", "twice").cubin;
  std::string got[4];
  {
    std::vector<std::jthread> threads;
    for (std::string& cubin : got)
      threads.emplace_back([&] { cubin = nvrtc().compile(twice, "sm_80", "twice").cubin; });
  }
  for (const std::string& cubin : got) EXPECT_EQ(cubin, expected);
}

TEST(Nvrtc, AnOptionMayLeaveOneKernelOfTheText) {
  REQUIRE_NVRTC;
  const std::string text = std::string("#ifndef ONLY\n") + twice + "#endif\n" +
                           "extern \"C\" __global__ void alone(float* x) { x[threadIdx.x] = 0; }\n";
  EXPECT_EQ(nvrtc().compile(text, "sm_80", "guarded").kernels.size(), 3u);
  const CompiledText compiled = nvrtc().compile(text, "sm_80", "guarded", "-DONLY=1");
  ASSERT_EQ(compiled.kernels.size(), 1u);
  EXPECT_EQ(compiled.kernels[0].entry, "alone");
  EXPECT_EQ(nvrtc().options("sm_80", "-DONLY=1").back(), "-DONLY=1") << "cache keys are made from them";
}

TEST(PtxasLog, SpillsAndSharedMemoryAreRead) {
  const auto kernels = parse_resources(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'a' for 'sm_90a'\n"
      "ptxas info    : Function properties for a\n"
      "    96 bytes stack frame, 40 bytes spill stores, 52 bytes spill loads\n"
      "ptxas info    : Used 255 registers, used 1 barriers, 96 bytes cumulative stack size, "
      "2048 bytes smem, 8 bytes cmem[2]\n"
      "ptxas info    : Compiling entry function 'b' for 'sm_90a'\n"
      "ptxas info    : Used 12 registers, used 0 barriers");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].entry, "a");
  EXPECT_EQ(kernels[0].registers, 255);
  EXPECT_EQ(kernels[0].shared_bytes, 2048);
  EXPECT_EQ(kernels[0].spill_bytes, 92);
  EXPECT_EQ(kernels[1].registers, 12);
  EXPECT_TRUE(parse_resources("").empty());
}

TEST(Resources, RemarksBelongToTheKernelThatTheyName) {
  const auto kernels = parse_resources(
      "ptxas info    : (C7512) Potential Performance Loss: wgmma.mma_async instructions are serialized due to "
      "insufficient register resources for the function 'second'\n"
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'first' for 'sm_90a'\n"
      "ptxas info    : Used 40 registers\n"
      "ptxas info    : Compiling entry function 'second' for 'sm_90a'\n"
      "ptxas info    : Used 128 registers\n");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_TRUE(kernels[0].remarks.empty());
  EXPECT_EQ(kernels[1].remarks,
            std::vector<std::string>{"C7512: wgmma.mma_async instructions are serialized due to insufficient register "
                                     "resources for the function 'second'"});
  EXPECT_EQ(kernels[1].registers, 128);
}

TEST(CudaDriver, AMissingDriverIsOneSentence) {
  try {
    load_driver("libnodriver.so.1");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_device);
    EXPECT_NE(std::string(error.what()).find("there is no CUDA driver; given libnodriver.so.1: cannot open"),
              std::string::npos)
        << error.what();
    EXPECT_NE(error.accepted().find("CPU device"), std::string::npos);
  }
}

TEST(CudaDriver, AnotherLibraryIsNoDriver) {
  try {
    load_driver("libm.so.6");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.given(), "one without cuInit");
  }
}

TEST(CudaDriver, TheToolkitsStubIsNoDriver) {
  const char* stub = "/usr/local/cuda/lib64/stubs/libcuda.so";
  if (!std::filesystem::exists(stub)) GTEST_SKIP() << "no toolkit with a stub";
  try {
    load_driver(stub);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_device);
    EXPECT_NE(error.message().find("stub"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace rankone::cuda
