// SPDX-License-Identifier: MIT
// A folder for the host compiler that goes away with everything in it, and the sweep of those that killed processes left.
#include "runtime/cpu/temporary_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include <rankone/error.hpp>

namespace rankone {
namespace {

namespace fs = std::filesystem;

constexpr const char* folder_prefix = "rankone-host-";
// Held by the owner of a folder, so that the system drops it when the owner dies, however it dies.
constexpr const char* lock_name = "lock";
// Of a folder without a lock: its owner has not come to that yet, or died before.
constexpr std::chrono::hours lockless_lifetime{1};
constexpr int attempts = 8;

fs::path base_folder() {
  std::error_code failed;
  const fs::path base = fs::temp_directory_path(failed);
  return failed ? fs::path("/tmp") : base;
}

bool is_own_folder(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
}

}  // namespace

void sweep_temporary_folders() {
  std::error_code failed;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator entry(base_folder(), failed), end; !failed && entry != end; entry.increment(failed)) {
    const fs::path& folder = entry->path();
    if (!folder.filename().string().starts_with(folder_prefix) || !is_own_folder(folder)) continue;
    std::error_code gone;  // another process may sweep, too
    if (fs::exists(folder / lock_name, gone)) {
      const auto lock = FileLock::acquire(folder / lock_name, std::chrono::milliseconds(0));
      if (lock) fs::remove_all(folder, gone);
      continue;
    }
    const auto written = entry->last_write_time(gone);
    if (!gone && now - written > lockless_lifetime) fs::remove_all(folder, gone);
  }
}

TemporaryFolder::TemporaryFolder() {
  sweep_temporary_folders();
  // Another process may sweep the folder between its lock's file and the lock: then there is a next one.
  for (int i = 0; i < attempts && !lock_; ++i) {
    std::string pattern = (base_folder() / (std::string(folder_prefix) + "XXXXXX")).string();
    const Uninterrupted step;
    if (::mkdtemp(pattern.data()) == nullptr) break;
    path_ = pattern;
    leftover_ = Leftover(path_);
    if (auto lock = FileLock::acquire(path_ / lock_name, std::chrono::milliseconds(0))) lock_.emplace(std::move(*lock));
  }
  if (!lock_)
    throw Error(ErrorCode::io, std::string("no temporary folder can be made (") + std::strerror(errno) + ")",
                base_folder().string(), "a folder that can be written", "TMPDIR");
}

TemporaryFolder::~TemporaryFolder() {
  const Uninterrupted step;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  lock_.reset();
  leftover_ = Leftover();
}

}  // namespace rankone
