// SPDX-License-Identifier: MIT
// Finds the CUDA driver on this machine.
#include "runtime/cuda/driver.hpp"

#include <rankone/error.hpp>

#include "runtime/cuda/library.hpp"

namespace rankone::cuda {
namespace {

constexpr const char* wanted = "a machine with an NVIDIA GPU and its driver, or the CPU device";

[[noreturn]] void no_driver(const std::string& message, const std::string& given, const std::string& where) {
  throw Error(ErrorCode::no_device, message, given, wanted, where);
}

}  // namespace

std::string error_name(const Driver& driver, Result result) {
  const char *name = nullptr, *text = nullptr;
  driver.cuGetErrorName(result, &name);
  driver.cuGetErrorString(result, &text);
  std::string words = name != nullptr ? name : "an unknown CUDA error";
  words += " (" + std::to_string(result) + ")";
  if (text != nullptr) words.append(": ").append(text);
  return words;
}

void check(const Driver& driver, Result result, const char* call) {
  if (result == success) return;
  throw Error(ErrorCode::launch_failed, "the CUDA driver reported an error", error_name(driver, result), {}, call);
}

Driver load_driver(const std::string& soname) {
  std::string words;
  const Library library = Library::open(soname, words);
  if (!library) no_driver("there is no CUDA driver", words, soname);

  Driver driver;
#define RANKONE_CUDA_LOAD(name, exported, parameters) \
  driver.name = reinterpret_cast<decltype(driver.name)>(library.symbol(#exported));
#define RANKONE_CUDA_NEED(name, exported, parameters) \
  RANKONE_CUDA_LOAD(name, exported, parameters)       \
  if (driver.name == nullptr) no_driver("the CUDA driver is too old", "one without " #exported, soname);
  RANKONE_CUDA_DRIVER(RANKONE_CUDA_NEED)
  RANKONE_CUDA_DRIVER_IF_THERE(RANKONE_CUDA_LOAD)
#undef RANKONE_CUDA_NEED
#undef RANKONE_CUDA_LOAD
  driver.path = library_path(reinterpret_cast<const void*>(driver.cuInit));

  const Result result = driver.cuInit(0);
  if (result == error_stub_library)
    no_driver("there is no CUDA driver, only the toolkit's stub for linking", driver.path, soname);
  if (result == error_no_device) no_driver("the CUDA driver finds no GPU", error_name(driver, result), driver.path);
  if (result != success) no_driver("the CUDA driver does not start", error_name(driver, result), driver.path);
  driver.cuDriverGetVersion(&driver.version);
  return driver;
}

const Driver& driver() {
  static const Driver instance = load_driver();
  return instance;
}

}  // namespace rankone::cuda
