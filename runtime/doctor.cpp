// SPDX-License-Identifier: MIT
// Looks at everything that the library would use on this machine.
#include "runtime/doctor.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <rankone/device.hpp>
#include <rankone/error.hpp>
#include <rankone/version.hpp>

#include "codegen/program.hpp"
#include "runtime/backend.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/cpu/host_compiler.hpp"
#include "runtime/cuda/driver.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/interruption.hpp"
#include "runtime/paths.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

std::string version_text(int version, int major_unit, int minor_unit) {
  return std::to_string(version / major_unit) + "." + std::to_string(version % major_unit / minor_unit);
}

NvrtcFound look_for_nvrtc() {
  NvrtcFound found;
  try {
    const cuda::Nvrtc& nvrtc = cuda::nvrtc();
    found.path = nvrtc.path();
    found.origin = nvrtc.origin();
    found.version = version_text(nvrtc.version(), 100, 1);
    std::string missing;
    for (const ArchLimits& limits : known_archs()) {
      const bool supported = nvrtc.supports(limits.arch);
      (supported ? found.archs : found.unsupported).push_back(limits.arch);
      if (!supported) missing += (missing.empty() ? "" : ", ") + limits.arch;
    }
    if (!missing.empty()) found.problem = "does not compile for " + missing + ": CUDA 12.8 or later does";
  } catch (const Error& error) {
    found.problem = error.what();
  }
  return found;
}

DriverFound look_for_driver() {
  DriverFound found;
  try {
    const cuda::Driver& driver = cuda::driver();
    found.path = driver.path;
    found.version = version_text(driver.version, 1000, 10);
  } catch (const Error& error) {
    found.problem = error.what();
  }
  return found;
}

std::vector<GpuFound> look_for_gpus() {
  std::vector<GpuFound> all;
  const int count = cuda_device_count();
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    GpuFound gpu;
    gpu.ordinal = ordinal;
    try {
      const Device device = Device::cuda(ordinal);
      gpu.name = device.name();
      gpu.arch = device.arch();
      gpu.multiprocessors = device.multiprocessors();
      gpu.shared_bytes_per_block = device.shared_memory_per_block();
      cuda::DeviceOrdinal handle = 0;
      std::size_t bytes = 0;
      if (cuda::driver().cuDeviceGet(&handle, ordinal) == cuda::success &&
          cuda::driver().cuDeviceTotalMem(&bytes, handle) == cuda::success)
        gpu.memory_bytes = bytes;
    } catch (const Error& error) {
      gpu.problem = error.what();
    }
    all.push_back(std::move(gpu));
  }
  return all;
}

// `program` is a full path, found by find_host_compiler().
std::string first_line_of(const std::string& program) {
  std::string quoted = "'";
  for (const char c : program) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  FILE* const pipe = popen((quoted + "' --version 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return {};
  char line[256] = {};
  const bool read = fgets(line, sizeof line, pipe) != nullptr;
  pclose(pipe);
  const std::string text = read ? line : "";
  return text.substr(0, text.find('\n'));
}

CompilerFound look_for_compiler() {
  CompilerFound found;
  const Setting setting = host_compiler();
  found.command = setting.value;
  found.origin = setting.origin;
  try {
    const HostCompiler compiler = find_host_compiler();
    found.path = compiler.command.front();
    found.version = first_line_of(found.path);
    require_working(compiler);
  } catch (const Error& error) {
    found.problem = error.what();
  }
  return found;
}

// Permissions do not tell for root, nor for file systems that are read-only or full: so it is tried. Empty where a file
// can be written, else the reason.
std::string why_not_writable(const fs::path& place) {
  const std::string page(4096, ' ');  // a folder alone would still fit into what is full
  try {
    const Uninterrupted step;
    const StagedFile probe(place / "probe", {page});
    return {};
  } catch (const Error& error) {
    return error.given();
  }
}

FolderFound look_at_folder(const char* purpose, const Setting& setting, bool written) {
  FolderFound found{purpose, setting.value, setting.origin, false, false, {}};
  std::error_code failed;
  found.exists = fs::is_directory(found.path, failed);
  if (!found.exists && fs::exists(found.path, failed)) {
    found.problem = found.path + ": not a folder";
    return found;
  }
  // A folder that is not there yet is made in the nearest one that is.
  fs::path nearest = fs::absolute(found.path, failed);
  while (!failed && !fs::exists(nearest, failed) && nearest.has_relative_path()) nearest = nearest.parent_path();
  const std::string why = fs::is_directory(nearest, failed) ? why_not_writable(nearest) : "not a folder";
  found.writable = why.empty();
  if (written && !found.writable) found.problem = nearest.string() + ": cannot be written (" + why + ")";
  return found;
}

std::vector<FolderFound> look_at_folders() {
  std::vector<FolderFound> all;
  const auto add = [&](const char* purpose, const std::optional<Setting>& setting, bool written) {
    if (setting)
      all.push_back(look_at_folder(purpose, *setting, written));
    else
      all.push_back({purpose, {}, "none", false, false, "no folder: HOME is not set either"});
  };
  add("cache", cache_directory(), true);
  add("system cache", system_cache_directory(), false);
  add("tuned data", data_directory(), true);
  return all;
}

std::vector<SettingFound> look_at_settings() {
  constexpr struct {
    const char *name, *otherwise, *meaning;
  } known[] = {
      {"RANKONE_CACHE_DIR", "$XDG_CACHE_HOME/rankone, else ~/.cache/rankone", "built kernels"},
      {"RANKONE_SYSTEM_CACHE_DIR", "/usr/share/rankone/cache", "built kernels of the system, only read"},
      {"RANKONE_DATA_DIR", "$XDG_DATA_HOME/rankone, else ~/.local/share/rankone", "tuned schedules"},
      {"RANKONE_NVRTC", "CUDA_PATH, CUDA_HOME, a wheel, the loader, /usr/local/cuda", "NVRTC's library or its folder"},
      {"RANKONE_CXX", "CXX, else c++", "host compiler of the CPU device"},
      {"RANKONE_SEED", "1", "order of threads and copies on the CPU device"},
      {"RANKONE_LOG", "warn", "off, error, warn, info or debug"},
  };
  std::vector<SettingFound> all;
  for (const auto& each : known) {
    const auto given = environment(each.name);
    all.push_back({each.name, given.value_or(each.otherwise), given ? "environment" : "default", each.meaning});
  }
  return all;
}

}  // namespace

Diagnosis diagnose() {
  Diagnosis all;
  all.version = RANKONE_VERSION;
  all.nvrtc = look_for_nvrtc();
  all.driver = look_for_driver();
  all.gpus = look_for_gpus();
  all.compiler = look_for_compiler();
  all.folders = look_at_folders();
  all.settings = look_at_settings();
  return all;
}

}  // namespace rankone
