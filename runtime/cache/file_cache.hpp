// SPDX-License-Identifier: MIT
// Built things as files: each is produced once, however many threads and processes ask, and checked when it is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/paths.hpp"

namespace rankone {

// Of the files' form; who builds an entry puts the schema of its content into the key.
inline constexpr const char* cache_schema = "v1";

struct CacheItem {
  std::string bytes;
  // The file that starts with these bytes (a checksum follows them, which loaders of shared objects ignore);
  // empty where nothing could be stored.
  std::filesystem::path file;
  bool hit = false;  // read from a file, not produced by this call or by another thread's at the same time
};

struct CacheListing {
  std::string kind, key, layer;  // layer: "user" or "system"
  std::uint64_t bytes = 0;
  std::int64_t modified = 0;  // seconds since 1970
};

// A writable user layer over a read-only system layer. Entries lie at ROOT/SCHEMA/KIND/KEY.
class FileCache {
 public:
  // Without `has_to_serve` a user layer that cannot be written costs a warning, else get() throws Error(io).
  FileCache(std::optional<std::filesystem::path> user, std::optional<std::filesystem::path> system,
            bool has_to_serve = false);
  static FileCache standard();  // the folders that paths.hpp names
  // From now on one that RANKONE_CACHE_DIR names has to serve: for programs whose user named it and waits.
  static void insist_on_named_folder();

  // The entry of `key`, or else what `produce` returns, stored for the next one. `kind` is a plain name ("cubin",
  // "host"). An exception of `produce` reaches every thread that waits for it, and nothing is stored. An entry that
  // does not match its checksum is produced again.
  CacheItem get(std::string_view kind, const std::string& key, const std::function<std::string()>& produce) const;
  // The entry, if there is a whole one.
  std::optional<CacheItem> find(std::string_view kind, const std::string& key) const;

  // For those who ask for the cache itself; these throw Error(io).
  std::vector<CacheListing> list() const;
  std::uint64_t clear() const;    // empties the user layer and returns the bytes freed
  void require_writable() const;  // the user layer exists, or can be made, and takes a file

  const std::optional<std::filesystem::path>& user() const { return user_; }
  const std::optional<std::filesystem::path>& system() const { return system_; }

 private:
  std::optional<std::filesystem::path> user_, system_;
  bool has_to_serve_;
};

}  // namespace rankone
