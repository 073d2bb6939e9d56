// SPDX-License-Identifier: MIT
// Built things as files: each is produced once, however many threads and processes ask, and checked when it is read.
#include "runtime/cache/file_cache.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include <rankone/error.hpp>

#include "runtime/cache/file.hpp"
#include "runtime/cache/hash.hpp"
#include "runtime/log.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto patience = 120s;  // for another process that builds the same entry; then we build it ourselves

// Stands behind the entry's bytes.
struct Trailer {
  std::array<char, 8> magic{'r', 'a', 'n', 'k', 'o', 'n', 'e', '1'};
  std::array<char, 32> key{};  // an entry under another name is no entry
  std::uint64_t size = 0;
  Digest digest{};
  friend bool operator==(const Trailer&, const Trailer&) = default;
};
static_assert(sizeof(Trailer) == 64);

Trailer trailer_of(const std::string& key, std::string_view bytes) {
  Trailer trailer;
  std::memcpy(trailer.key.data(), key.data(), trailer.key.size());
  trailer.size = bytes.size();
  trailer.digest = digest_of(bytes);
  return trailer;
}

void require_key(std::string_view kind, const std::string& key) {
  if (kind.empty() || kind.find_first_of("/.") != kind.npos || key.size() != 32 ||
      key.find_first_not_of("0123456789abcdef") != key.npos)
    throw Error(ErrorCode::internal, "not a cache key", std::string(kind) + "/" + key,
                "a plain kind and 32 hex digits");
}

fs::path folder_of(const fs::path& root, std::string_view kind) { return root / cache_schema / kind; }

std::optional<CacheItem> read_entry(const fs::path& root, std::string_view kind, const std::string& key,
                                    LogLevel if_damaged = LogLevel::warn) {
  CacheItem item;
  item.file = folder_of(root, kind) / key;
  auto bytes = read_file(item.file);
  if (!bytes) return std::nullopt;
  Trailer trailer;
  if (bytes->size() > sizeof trailer) {
    const std::size_t size = bytes->size() - sizeof trailer;
    std::memcpy(static_cast<void*>(&trailer), bytes->data() + size, sizeof trailer);
    bytes->resize(size);
    if (trailer == trailer_of(key, *bytes)) {
      item.bytes = std::move(*bytes);
      item.hit = true;
      return item;
    }
  }
  log(if_damaged, item.file.string() + ": the cache entry is damaged and is built again");
  return std::nullopt;
}

void warn_once(const fs::path& root, const std::string& why) {
  static std::mutex mutex;
  static std::set<std::string> warned;
  const std::lock_guard guard(mutex);
  if (warned.insert(root.string()).second)
    log(LogLevel::warn, why + "; nothing is kept, so that every process builds its kernels again");
}

void sweep_locks_once(const fs::path& folder) {
  static std::mutex mutex;
  static std::set<std::string> swept;
  {
    const std::lock_guard guard(mutex);
    if (!swept.insert(folder.string()).second) return;
  }
  sweep_stale(folder, [](std::string_view name) { return name.ends_with(".lock"); });
}

// Makes sure of the folder; says why where that cannot be.
std::string make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return folder.string() + ": the cache folder cannot be made (" + failed.message() + ")";
  return {};
}

CacheItem produce_entry(const std::string& key, const std::function<std::string()>& produce) {
  CacheItem item;
  item.bytes = produce();
  if (item.bytes.empty()) throw Error(ErrorCode::internal, "an empty cache entry was produced", key);
  return item;
}

CacheItem produce_and_store(const fs::path& root, bool has_to_serve, std::string_view kind, const std::string& key,
                            const std::function<std::string()>& produce) {
  const fs::path folder = folder_of(root, kind);
  if (const std::string why = make_folder(folder); !why.empty()) {
    if (has_to_serve)
      throw Error(ErrorCode::io, "the cache folder that was named cannot be used", why,
                  "a folder with room that can be written", "RANKONE_CACHE_DIR");
    warn_once(root, why);
    return produce_entry(key, produce);
  }
  const auto lock = FileLock::acquire(folder / (key + ".lock"), patience);
  if (lock)
    if (auto item = read_entry(root, kind, key, LogLevel::debug)) return *item;  // another process was first
  CacheItem item = produce_entry(key, produce);
  try {
    sweep_locks_once(folder);
    const Trailer trailer = trailer_of(key, item.bytes);
    publish_file(folder / key, {item.bytes, {reinterpret_cast<const char*>(&trailer), sizeof trailer}});
    item.file = folder / key;
  } catch (const Error& error) {
    if (has_to_serve)
      throw Error(ErrorCode::io, "the cache folder that was named cannot be used",
                  error.message() + " in " + folder.string(), "a folder with room that can be written",
                  "RANKONE_CACHE_DIR");
    warn_once(root, error.what());
  }
  return item;
}

// What threads of this process are building now.
struct Underway {
  std::mutex mutex;
  std::map<std::string, std::shared_future<CacheItem>> futures;
};
Underway& underway() {
  static auto* state = new Underway;  // never destroyed: threads may outlive main()
  return *state;
}

std::atomic<bool> insisted{false};

}  // namespace

void FileCache::insist_on_named_folder() { insisted = true; }

FileCache::FileCache(std::optional<fs::path> user, std::optional<fs::path> system, bool has_to_serve)
    : user_(std::move(user)), system_(std::move(system)), has_to_serve_(has_to_serve) {}

FileCache FileCache::standard() {
  std::optional<fs::path> user;
  const auto setting = cache_directory();
  if (setting) user = setting->value;
  return FileCache(user, system_cache_directory().value, insisted && setting && setting->origin == "RANKONE_CACHE_DIR");
}

std::optional<CacheItem> FileCache::find(std::string_view kind, const std::string& key) const {
  require_key(kind, key);
  for (const auto& root : {user_, system_})
    if (root)
      if (auto item = read_entry(*root, kind, key)) return item;
  return std::nullopt;
}

CacheItem FileCache::get(std::string_view kind, const std::string& key,
                         const std::function<std::string()>& produce) const {
  const std::string name = (user_ ? user_->string() : std::string()) + "/" + std::string(kind) + "/" + key;
  std::promise<CacheItem> promise;
  {
    std::unique_lock guard(underway().mutex);
    if (const auto found = underway().futures.find(name); found != underway().futures.end()) {
      const std::shared_future<CacheItem> future = found->second;
      guard.unlock();
      return future.get();
    }
    underway().futures.emplace(name, promise.get_future().share());
  }
  const auto finish = [&name] {
    const std::lock_guard guard(underway().mutex);
    underway().futures.erase(name);
  };
  try {
    auto item = find(kind, key);
    if (!item)
      item = user_ ? produce_and_store(*user_, has_to_serve_, kind, key, produce) : produce_entry(key, produce);
    promise.set_value(*item);
    finish();
    return *item;
  } catch (...) {
    promise.set_exception(std::current_exception());
    finish();
    throw;
  }
}

}  // namespace rankone
