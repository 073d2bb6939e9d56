// SPDX-License-Identifier: MIT
// The places where NVRTC may lie, best first.
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/paths.hpp"

namespace rankone::cuda {

std::vector<NvrtcCandidate> nvrtc_candidates() {
  if (const auto given = environment("RANKONE_NVRTC")) return {{*given, "RANKONE_NVRTC", true}};
  std::vector<NvrtcCandidate> all;
  for (const char* name : {"CUDA_PATH", "CUDA_HOME"})
    if (const auto root = environment(name)) all.push_back({*root, name});
  // A wheel unpacked by the build; the program may have moved with its folder since.
  std::vector<std::string> homes;
#ifdef RANKONE_BUILD_FOLDER
  homes.push_back(RANKONE_BUILD_FOLDER);
#endif
  if (const auto program = executable_directory(); !program.empty()) {
    homes.push_back(program.string());
    homes.push_back(program.parent_path().string());
  }
  for (const std::string& home : homes)
    for (const char* wheel : {"/nvidia/cu13/lib", "/nvidia/cuda_nvrtc/lib"}) all.push_back({home + wheel, "wheel"});
  for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12"}) all.push_back({name, "loader"});
  all.push_back({"/usr/local/cuda", "default"});
  return all;
}

}  // namespace rankone::cuda
