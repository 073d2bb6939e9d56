// SPDX-License-Identifier: MIT
// What is found on this machine, as plain data. Nothing throws or stays behind: what is wrong is a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rankone {

struct NvrtcFound {
  std::string path, origin, version;            // origin: a setting's name, "wheel", "loader" or "default"
  std::vector<std::string> archs, unsupported;  // of the architectures that kernels are built for
  std::string problem;                          // why there is none, or what this one lacks; empty where all is well
  bool found() const { return !path.empty(); }
};

struct DriverFound {
  std::string path, version;
  std::string problem;
  bool found() const { return !path.empty(); }
};

struct GpuFound {
  int ordinal = 0;
  std::string name, arch;
  int multiprocessors = 0;
  std::uint64_t memory_bytes = 0, shared_bytes_per_block = 0;
  std::string problem;  // too old, for one
};

struct CompilerFound {
  std::string command, origin;
  std::string path, version;  // its own first line
  std::string problem;
  bool found() const { return problem.empty(); }
};

struct FolderFound {
  std::string purpose;  // "cache", "system cache", "tuned data"
  std::string path, origin;
  bool exists = false, writable = false;
  std::string problem;  // empty where it serves its purpose
};

// One environment variable that is read, and what holds.
struct SettingFound {
  std::string name, value;
  std::string origin;  // "environment" or "default"
  std::string meaning;
};

struct Diagnosis {
  std::string version;  // of this library
  NvrtcFound nvrtc;
  DriverFound driver;
  std::vector<GpuFound> gpus;
  CompilerFound compiler;  // of the CPU device
  std::vector<FolderFound> folders;
  std::vector<SettingFound> settings;
};

Diagnosis diagnose();

}  // namespace rankone
