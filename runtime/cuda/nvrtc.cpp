// SPDX-License-Identifier: MIT
// Finds and loads NVRTC.
#include "runtime/cuda/nvrtc.hpp"

#include <algorithm>
#include <filesystem>

#include <rankone/error.hpp>

#include "runtime/cuda/nvrtc_library.hpp"
#include "runtime/log.hpp"

namespace rankone::cuda {
namespace {

namespace fs = std::filesystem;

constexpr int oldest_version = 1200;  // the first with C++20 and sm_90a
constexpr const char* wanted =
    "a CUDA toolkit of version 12.0 or later, NVIDIA's wheel nvidia-cuda-nvrtc "
    "(`scripts/setup --nvrtc=wheel` gets it), or RANKONE_NVRTC set to the library or its folder";

// The files or bare names that a candidate stands for.
std::vector<std::string> spellings(const std::string& place) {
  std::error_code ignored;
  if (!fs::is_directory(place, ignored)) return {place};
  std::vector<std::string> all;
  for (const char* folder : {"", "lib64", "lib"})
    for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}) {
      const fs::path file = fs::path(place) / folder / name;
      if (fs::exists(file, ignored)) all.push_back(fs::absolute(file).lexically_normal().string());
    }
  return all;
}

// NVRTC opens its builtins by bare name when it first compiles, which finds them only where the loader looks. Opened
// before, by their path, they are found by that name.
void open_builtins(const std::string& library, int version) {
  const std::string name =
      "libnvrtc-builtins.so." + std::to_string(version / 100) + "." + std::to_string(version % 100);
  const fs::path file = fs::path(library).parent_path() / name;
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return;
  std::string words;
  if (!Library::open(file.string(), words)) log(LogLevel::warn, words);
}

// The version's third number where the file's name has it ("libnvrtc.so.13.0.88"), else the file's size.
std::string identity_of(const std::string& library, int version) {
  std::string text = std::to_string(version / 100) + "." + std::to_string(version % 100);
  const std::string name = fs::path(library).filename().string();
  if (const auto at = name.find(".so." + text + "."); at != name.npos) return name.substr(at + 4);
  std::error_code ignored;
  const auto bytes = fs::file_size(library, ignored);
  return ignored ? text : text + "+" + std::to_string(bytes);
}

std::shared_ptr<const NvrtcFunctions> open_functions(const std::string& name, std::string& why) {
  const Library library = Library::open(name, why);
  if (!library) return nullptr;
  auto functions = std::make_shared<NvrtcFunctions>();
#define RANKONE_NVRTC_LOAD(name, parameters) \
  functions->name = reinterpret_cast<decltype(functions->name)>(library.symbol(#name));
  RANKONE_NVRTC(RANKONE_NVRTC_LOAD)
#undef RANKONE_NVRTC_LOAD
  functions->nvrtcGetErrorString =
      reinterpret_cast<decltype(functions->nvrtcGetErrorString)>(library.symbol("nvrtcGetErrorString"));
#define RANKONE_NVRTC_MISSING(name, parameters) functions->name == nullptr ||
  if (RANKONE_NVRTC(RANKONE_NVRTC_MISSING) functions->nvrtcGetErrorString == nullptr) {
#undef RANKONE_NVRTC_MISSING
    why = name + ": not an NVRTC of version 12.0 or later";
    return nullptr;
  }
  return functions;
}

}  // namespace

Nvrtc::Nvrtc(const std::vector<NvrtcCandidate>& candidates) {
  std::string tried;
  for (const NvrtcCandidate& candidate : candidates) {
    std::string why;
    for (const std::string& name : spellings(candidate.place)) {
      functions_ = open_functions(name, why);
      int major = 0, minor = 0;
      if (functions_ != nullptr && functions_->nvrtcVersion(&major, &minor) == 0) {
        version_ = major * 100 + minor;
        if (version_ >= oldest_version) {
          path_ = library_path(reinterpret_cast<const void*>(functions_->nvrtcVersion));
          origin_ = candidate.origin;
          identity_ = identity_of(path_, version_);
          open_builtins(path_, version_);
          int count = 0;
          functions_->nvrtcGetNumSupportedArchs(&count);
          archs_.resize(static_cast<std::size_t>(std::max(count, 0)));
          if (!archs_.empty()) functions_->nvrtcGetSupportedArchs(archs_.data());
          return;
        }
        why = name + ": version " + std::to_string(major) + "." + std::to_string(minor);
      }
      log(LogLevel::debug, "NVRTC: " + why);
    }
    if (candidate.binding)
      throw Error(ErrorCode::not_found, "NVRTC does not load from there",
                  candidate.place + (why.empty() ? "" : " (" + why + ")"), wanted, candidate.origin);
    tried += (tried.empty() ? "" : ", ") + candidate.place;
  }
  throw Error(ErrorCode::not_found, "NVRTC is not on this machine", "none of " + tried, wanted);
}

const Nvrtc& nvrtc() {
  static const Nvrtc instance(nvrtc_candidates());
  return instance;
}

}  // namespace rankone::cuda
