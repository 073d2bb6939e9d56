// SPDX-License-Identifier: MIT
// One process: hits, layers, damaged entries, folders that do not serve, producers that fail.
#include "runtime/cache/file_cache.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include <rankone/error.hpp>

#include "runtime/cache/file.hpp"
#include "runtime/cache/hash.hpp"
#include "scratch.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;
using test::ScratchFolder;

const std::string key = cache_key({"schema", "some text"});
std::string payload() { return std::string(100'000, 'x') + '\0' + "end"; }

void overwrite(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::size_t files_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) count += entry.is_regular_file();
  return count;
}

TEST(CacheKey, IsStableAndTellsFieldsApart) {
  EXPECT_EQ(key.size(), 32u);
  EXPECT_EQ(cache_key({"schema", "some text"}), key);
  EXPECT_NE(cache_key({"ab", "c"}), cache_key({"a", "bc"}));
  EXPECT_NE(cache_key({"ab"}), cache_key({"ab", ""}));
  EXPECT_EQ(cache_key({"a", "b"}), "6d9c4da24648e62c97910860d0177cd9");  // XXH3 of "1:a1:b", on every machine
}

TEST(FileCache, ProducesOnceThenHits) {
  const ScratchFolder scratch;
  const FileCache cache(scratch.path() / "cache", std::nullopt);
  int produced = 0;
  const auto produce = [&] { return ++produced, payload(); };
  const CacheItem first = cache.get("cubin", key, produce), second = cache.get("cubin", key, produce);
  EXPECT_EQ(produced, 1);
  EXPECT_FALSE(first.hit);
  EXPECT_TRUE(second.hit);
  EXPECT_EQ(second.bytes, payload());
  EXPECT_EQ(second.file, first.file);
  EXPECT_EQ(read_file(first.file)->substr(0, payload().size()), payload()) << "the file starts with the bytes";
  EXPECT_EQ(files_in(scratch.path()), 1u) << "neither locks nor staging files stay behind";
}

TEST(FileCache, AHitTakesLessThanFiveMilliseconds) {
  const ScratchFolder scratch;
  const FileCache cache(scratch.path(), std::nullopt);
  cache.get("cubin", key, payload);
  double best = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(cache.get("cubin", key, payload).hit);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  EXPECT_LT(best, 5.0);
  RecordProperty("hit_ms", std::to_string(best));
}

TEST(FileCache, DamagedEntriesAreProducedAgain) {
  const ScratchFolder scratch;
  const FileCache cache(scratch.path(), std::nullopt);
  const fs::path file = cache.get("cubin", key, payload).file;
  const std::string good = *read_file(file);
  std::string flipped = good, flipped_trailer = good;
  flipped[500] ^= 1;
  flipped_trailer[good.size() - 1] ^= 1;
  const std::string damaged[] = {
      "",      good.substr(0, 10), good.substr(0, good.size() / 2), good.substr(0, good.size() - 1), good + "x",
      flipped, flipped_trailer,    std::string(good.size(), '\0')};
  for (const std::string& bytes : damaged) {
    overwrite(file, bytes);
    EXPECT_FALSE(cache.find("cubin", key)) << bytes.size();
    bool produced = false;
    const CacheItem item = cache.get("cubin", key, [&] { return produced = true, payload(); });
    EXPECT_TRUE(produced) << bytes.size();
    EXPECT_EQ(item.bytes, payload());
    EXPECT_EQ(*read_file(file), good) << "the damaged entry is replaced";
  }
}

TEST(FileCache, AnEntryUnderAnotherNameIsNoEntry) {
  const ScratchFolder scratch;
  const FileCache cache(scratch.path(), std::nullopt);
  const fs::path file = cache.get("cubin", key, payload).file;
  const std::string other = cache_key({"other"});
  fs::copy_file(file, file.parent_path() / other);
  EXPECT_FALSE(cache.find("cubin", other));
  EXPECT_TRUE(cache.find("cubin", key));
}

TEST(FileCache, FailuresAreNeverPublished) {
  const ScratchFolder scratch;
  const FileCache cache(scratch.path(), std::nullopt);
  const auto refuse = []() -> std::string { throw Error(ErrorCode::compile_failed, "no"); };
  EXPECT_THROW(cache.get("cubin", key, refuse), Error);
  EXPECT_THROW(cache.get("cubin", key, [] { return std::string(); }), Error) << "an empty result is a failure";
  EXPECT_EQ(files_in(scratch.path()), 0u);
  EXPECT_FALSE(cache.get("cubin", key, payload).hit) << "the next caller tries again";
  EXPECT_TRUE(cache.get("cubin", key, refuse).hit);
}

TEST(FileCache, SystemLayerServesAndIsNotWritten) {
  const ScratchFolder scratch;
  const fs::path system = scratch.path() / "system", user = scratch.path() / "user";
  const fs::path file = FileCache(system, std::nullopt).get("cubin", key, payload).file;
  const FileCache cache(user, system);
  EXPECT_EQ(cache.find("cubin", key)->file, file);
  EXPECT_FALSE(fs::exists(user)) << "a hit makes no folder";

  overwrite(file, "damaged");
  const CacheItem item = cache.get("cubin", key, payload);
  EXPECT_FALSE(item.hit);
  EXPECT_EQ(item.file.string().find(user.string()), 0u);
  EXPECT_EQ(*read_file(file), "damaged");
  EXPECT_TRUE(cache.get("cubin", key, payload).hit) << "the user layer lies over the system layer";
}

// A file where the folder should be refuses root too, which a folder without write permission does not.
TEST(FileCache, WorksWithoutAFolderThatServes) {
  const ScratchFolder scratch;
  overwrite(scratch.path() / "file", "not a folder");
  const FileCache blocked(scratch.path() / "file", std::nullopt), none(std::nullopt, std::nullopt);
  for (const FileCache& cache : {blocked, none}) {
    const CacheItem item = cache.get("cubin", key, payload);
    EXPECT_EQ(item.bytes, payload());
    EXPECT_TRUE(item.file.empty());
    EXPECT_THROW(cache.require_writable(), Error);
  }
  EXPECT_EQ(*read_file(scratch.path() / "file"), "not a folder");
}

// Root may write everywhere, so the child becomes somebody else.
[[noreturn]] void store_without_permission(const fs::path& folder) {
  if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
  const FileCache cache(folder, std::nullopt);
  const bool served = cache.get("cubin", key, payload).bytes == payload();
  try {
    cache.require_writable();
  } catch (const Error& error) {
    _exit(served && error.where() == folder.string() && files_in(folder) == 0 ? 0 : 1);
  }
  _exit(3);
}

TEST(FileCache, WorksInAReadOnlyFolder) {
  const ScratchFolder scratch;
  fs::permissions(scratch.path(), fs::perms(0555));
  EXPECT_EXIT(store_without_permission(scratch.path()), testing::ExitedWithCode(0),
              "every process builds its kernels again");
}

// A limit on the size of files fails a write half-way, as a full disk does.
[[noreturn]] void store_with_no_room(const fs::path& folder) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{4096, 4096};
  setrlimit(RLIMIT_FSIZE, &limit);
  const CacheItem item = FileCache(folder, std::nullopt).get("cubin", key, payload);
  _exit(item.bytes == payload() && item.file.empty() && files_in(folder) == 0 ? 0 : 1);
}

TEST(FileCache, AFullFolderLeavesNothingBehind) {
  const ScratchFolder scratch;
  EXPECT_EXIT(store_with_no_room(scratch.path()), testing::ExitedWithCode(0), "every process builds its kernels again");
}

TEST(FileCache, ThreadsProduceOnce) {
  const ScratchFolder scratch;
  const FileCache cache(scratch.path(), std::nullopt);
  std::atomic<int> produced = 0, right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&] {
        right += cache
                     .get("cubin", key,
                          [&] {
                            ++produced;
                            std::this_thread::sleep_for(std::chrono::milliseconds(50));
                            return payload();
                          })
                     .bytes == payload();
      });
  }
  EXPECT_EQ(produced, 1);
  EXPECT_EQ(right, 16);
}

TEST(FileCache, ThreadsShareAFailureAndMayTryAgain) {
  const FileCache cache(std::nullopt, std::nullopt);
  std::atomic<int> produced = 0, failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        try {
          cache.get("cubin", key, [&]() -> std::string {
            ++produced;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            throw Error(ErrorCode::compile_failed, "no");
          });
        } catch (const Error& error) {
          failed += error.code() == ErrorCode::compile_failed;
        }
      });
  }
  EXPECT_EQ(failed, 8);
  EXPECT_LT(produced, 8);
  EXPECT_EQ(cache.get("cubin", key, payload).bytes, payload());
}

TEST(FileCache, ListsAndClears) {
  const ScratchFolder scratch;
  const FileCache cache(scratch.path() / "user", scratch.path() / "system");
  EXPECT_TRUE(cache.list().empty());
  EXPECT_EQ(cache.clear(), 0u);
  FileCache(scratch.path() / "system", std::nullopt).get("host", key, payload);
  cache.get("cubin", cache_key({"one"}), payload);
  cache.get("cubin", cache_key({"two"}), payload);
  EXPECT_EQ(cache.list().size(), 3u);
  EXPECT_EQ(cache.clear(), 2 * (payload().size() + 64));
  ASSERT_EQ(cache.list().size(), 1u);
  EXPECT_EQ(cache.list().front().layer, "system");
  EXPECT_EQ(cache.list().front().kind, "host");
}

}  // namespace
}  // namespace rankone
