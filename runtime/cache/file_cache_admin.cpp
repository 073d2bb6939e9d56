// SPDX-License-Identifier: MIT
// What the cache holds, and how it is emptied.
#include <unistd.h>

#include <rankone/error.hpp>

#include "runtime/cache/file.hpp"
#include "runtime/cache/file_cache.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

bool is_entry(const fs::directory_entry& entry) {
  std::error_code ignored;
  const std::string name = entry.path().filename().string();
  return entry.is_regular_file(ignored) && name.size() == 32 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

void list_layer(const fs::path& base, const char* layer, std::vector<CacheListing>& all) {
  const fs::path root = base / cache_schema;
  std::error_code failed;
  if (!fs::exists(root, failed)) return;
  for (fs::recursive_directory_iterator entries(root, failed), end; !failed && entries != end;
       entries.increment(failed)) {
    if (!is_entry(*entries)) continue;
    std::error_code gone;  // another process may be clearing
    CacheListing item{entries->path().parent_path().filename().string(), entries->path().filename().string(), layer, 0,
                      0};
    item.bytes = entries->file_size(gone);
    const auto written = entries->last_write_time(gone);
    if (gone) continue;
    item.modified =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::file_clock::to_sys(written).time_since_epoch())
            .count();
    all.push_back(std::move(item));
  }
  if (failed)
    throw Error(ErrorCode::io, "cannot list the cache folder", failed.message(), "a folder that can be read",
                root.string());
}

const fs::path& require_user(const std::optional<fs::path>& user) {
  if (!user)
    throw Error(ErrorCode::io, "there is no cache folder", "neither RANKONE_CACHE_DIR nor XDG_CACHE_HOME nor HOME",
                "one of them set to a folder", "environment");
  return *user;
}

}  // namespace

std::vector<CacheListing> FileCache::list() const {
  std::vector<CacheListing> all;
  if (user_) list_layer(*user_, "user", all);
  if (system_) list_layer(*system_, "system", all);
  return all;
}

std::uint64_t FileCache::clear() const {
  const fs::path& root = require_user(user_);
  std::uint64_t freed = 0;
  std::vector<CacheListing> all;
  list_layer(root, "user", all);
  for (const CacheListing& item : all) {
    const fs::path file = root / cache_schema / item.kind / item.key;
    std::error_code failed;
    if (fs::remove(file, failed)) freed += item.bytes;
    if (failed)
      throw Error(ErrorCode::io, "cannot remove a cache entry", failed.message(), "a folder that can be written",
                  file.string());
  }
  return freed;
}

void FileCache::require_writable() const {
  const fs::path& root = require_user(user_);
  std::error_code failed;
  fs::create_directories(root, failed);
  if (failed)
    throw Error(ErrorCode::io, "the cache folder cannot be made", failed.message(), "a folder that can be written",
                root.string());
  // Named by process, so that two who ask at once do not remove each other's.
  const fs::path probe = root / (".probe-" + std::to_string(getpid()));
  try {
    const Uninterrupted step;
    publish_file(probe, {"rankone"});
    fs::remove(probe, failed);
  } catch (const Error& error) {
    throw Error(ErrorCode::io, "the cache folder cannot be written", error.given(), error.accepted(), root.string());
  }
}

}  // namespace rankone
