// SPDX-License-Identifier: MIT
// How cubins become modules of a driver, without a GPU: the driver is a recorder.
#include "runtime/cuda/kernels.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <rankone/dsl/catalogue.hpp>
#include <rankone/error.hpp>

#include "codegen/choose.hpp"

namespace rankone::cuda {
namespace {

// Images of the modules that are loaded; a module's handle is its image, a function's its name.
std::set<const void*> loaded;
std::vector<std::string> found, launched;
std::string encoded;
std::string refused;  // the image or the function that this driver does not take
int contexts = 0;     // on the stack

Driver recorder() {
  Driver driver;
  driver.cuCtxGetCurrent = [](Context* context) -> Result { return *context = nullptr, success; };
  driver.cuCtxPushCurrent = [](Context) -> Result { return ++contexts, success; };
  driver.cuCtxPopCurrent = [](Context*) -> Result { return --contexts, success; };
  driver.cuModuleLoadData = [](Module* module, const void* image) -> Result {
    if (static_cast<const char*>(image) == refused) return 1;
    *module = reinterpret_cast<Module>(const_cast<void*>(image));
    loaded.insert(image);
    return success;
  };
  driver.cuModuleUnload = [](Module module) -> Result {
    EXPECT_EQ(contexts, 1) << "modules are of a context";
    EXPECT_EQ(loaded.erase(module), 1u);
    return success;
  };
  driver.cuModuleGetFunction = [](Function* function, Module module, const char* name) -> Result {
    if (name == refused) return 1;
    found.push_back(reinterpret_cast<const char*>(module) + std::string(": ") + name);
    *function = reinterpret_cast<Function>(const_cast<char*>(name));
    return success;
  };
  driver.cuFuncSetAttribute = [](Function, int, int) -> Result { return success; };
  driver.cuLaunchKernel = [](Function function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                             Stream, void**, void**) -> Result {
    launched.push_back(reinterpret_cast<const char*>(function));
    return success;
  };
  driver.cuTensorMapEncodeTiled = [](void* map, int type, unsigned rank, void* base, const unsigned long long* sizes,
                                     const unsigned long long* strides, const unsigned* box, const unsigned* steps,
                                     int interleave, int swizzle, int l2_promotion, int fill) -> Result {
    EXPECT_EQ(contexts, 1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(map) % 64, 0u) << "what the driver asks for";
    std::ostringstream text;
    text << type << " " << rank << " at " << base << ":";
    for (unsigned i = 0; i < rank; ++i) text << " " << sizes[i] << "/" << box[i] << "/" << steps[i];
    for (unsigned i = 0; i + 1 < rank; ++i) text << " +" << strides[i];
    text << ", " << interleave << " " << swizzle << " " << l2_promotion << " " << fill;
    if (text.str() == refused) return 1;
    encoded = text.str();
    return success;
  };
  driver.cuGetErrorName = [](Result, const char** name) -> Result { return *name = "REFUSED", success; };
  driver.cuGetErrorString = driver.cuGetErrorName;
  return driver;
}

class CudaModules : public testing::Test {
 protected:
  void SetUp() override {
    loaded.clear();
    found.clear();
    launched.clear();
    refused.clear();
    contexts = 0;
  }
  void TearDown() override {
    EXPECT_TRUE(loaded.empty());
    EXPECT_EQ(contexts, 0);
  }
  const Driver driver = recorder();
  const Context context = reinterpret_cast<Context>(&contexts);  // any but the current one, which is none
  const Program program = [] {
    const CompileOptions options{.key_dim = 64, .value_dim = 64, .pins = {.level = Level::segment}};
    return lower(variants::gla, options, default_schedule(variants::gla, options, "sm_90a"), "sm_90a");
  }();
  const std::string& entry(std::size_t kernel) const { return program.kernels.at(kernel).entry; }
  const std::vector<BuiltCubin> cubins = [] {
    std::vector<BuiltCubin> all(3);
    all[0].cubin = "first", all[1].cubin = "second", all[2].cubin = "third";
    return all;
  }();
};

TEST_F(CudaModules, EachKernelComesFromItsOwnCubin) {
  const CudaKernels kernels(driver, context, program, cubins);
  EXPECT_EQ(found, (std::vector<std::string>{"first: " + entry(0), "second: " + entry(1), "third: " + entry(2)}));
  for (const std::size_t each : {2, 0, 1}) {
    kernels.launch(std::array{KernelLaunch{each, 1}}, LaunchArguments(program.port_slots), {}, nullptr);
  }
  EXPECT_EQ(launched, (std::vector<std::string>{entry(2), entry(0), entry(1)}));
}

TEST_F(CudaModules, AnExportIsLoadedOnce) {
  const std::string whole = "whole";
  {
    const CudaKernels kernels(driver, context, program, whole);
    EXPECT_EQ(found, (std::vector<std::string>{"whole: " + entry(0), "whole: " + entry(1), "whole: " + entry(2)}));
    EXPECT_EQ(loaded.size(), 1u);
  }
  refused = entry(1);
  EXPECT_THROW(CudaKernels(driver, context, program, whole), Error);
}

TEST_F(CudaModules, NoneStaysLoadedWhereOneIsRefused) {
  for (const std::string& each : {std::string("first"), std::string("third"), entry(0), entry(2)}) {
    refused = each;
    try {
      const CudaKernels kernels(driver, context, program, cubins);
      ADD_FAILURE() << each;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::launch_failed);
    }
    EXPECT_TRUE(loaded.empty()) << each;
    EXPECT_EQ(contexts, 0);
  }
}

TEST_F(CudaModules, TensorMapsAreWhatTheDriverMakes) {
  const CudaKernels kernels(driver, context, program, cubins);
  MappedTensor tensor{reinterpret_cast<const void*>(0x1230), {80, 5, 3, 2}, {960, 160, 4800}, 2, 32};
  TensorMap map;
  EXPECT_TRUE(kernels.encode(tensor, map));
  // Two-byte words by their bits; columns, tokens, heads, batch; no interleave, swizzled, zeros outside.
  const std::string two = "1 4 at 0x1230: 80/64/1 5/32/1 3/1/1 2/1/1 +960 +160 +4800, 0 3 0 0";
  EXPECT_EQ(encoded, two);
  tensor.element_bytes = 4;
  EXPECT_TRUE(kernels.encode(tensor, map));
  EXPECT_EQ(encoded, "2 4 at 0x1230: 80/32/1 5/32/1 3/1/1 2/1/1 +960 +160 +4800, 0 3 0 0");
  tensor.element_bytes = 2;
  refused = two;
  EXPECT_FALSE(kernels.encode(tensor, map)) << "then copies go without";
  Driver older = recorder();
  older.cuTensorMapEncodeTiled = nullptr;
  EXPECT_FALSE(CudaKernels(older, context, program, std::vector<BuiltCubin>()).encode(tensor, map));
}

}  // namespace
}  // namespace rankone::cuda
