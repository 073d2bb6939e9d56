// SPDX-License-Identifier: MIT
// A folder for the host compiler that goes away with everything in it, and the sweep of those that killed processes left.
#pragma once

#include <filesystem>
#include <optional>

#include "runtime/cache/file.hpp"
#include "runtime/interruption.hpp"

namespace rankone {

class TemporaryFolder {
 public:
  TemporaryFolder();  // sweeps; throws Error(io) where none can be made
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Leftover leftover_;
  std::optional<FileLock> lock_;
};

// Removes folders of this user whose owners have died. Safe beside processes that make, use and sweep them.
void sweep_temporary_folders();

}  // namespace rankone
