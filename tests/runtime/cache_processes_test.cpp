// SPDX-License-Identifier: MIT
// Many processes at once, and processes that die at the wrong moment.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "runtime/cache/file.hpp"
#include "runtime/cache/file_cache.hpp"
#include "runtime/cache/hash.hpp"
#include "scratch.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::ScratchFolder;

constexpr int processes = 8, keys = 4;

std::string key_of(int index) { return cache_key({"key", std::to_string(index)}); }
std::string payload_of(int index) { return std::string(200'000, static_cast<char>('a' + index)); }

// Appends one byte: short appends of many processes do not mix.
void note(const fs::path& file) {
  const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::write(descriptor.get(), "x", 1), 1);
}

template <class Work> pid_t spawn(const Work& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  return child;
}

int exit_code(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(CacheProcesses, EachEntryIsProducedOnce) {
  const ScratchFolder scratch;
  const fs::path root = scratch.path() / "cache";
  std::vector<pid_t> children;
  for (int process = 0; process < processes; ++process)
    children.push_back(spawn([&] {
      const FileCache cache(root, std::nullopt);
      std::atomic<int> wrong = 0;
      std::vector<std::thread> threads;
      for (int thread = 0; thread < 2; ++thread)
        threads.emplace_back([&] {
          for (int i = 0; i < keys; ++i) {
            const int index = (i + process) % keys;
            const CacheItem item = cache.get("cubin", key_of(index), [&] {
              note(scratch.path() / key_of(index));
              std::this_thread::sleep_for(30ms);
              return payload_of(index);
            });
            wrong += item.bytes != payload_of(index);
          }
        });
      for (std::thread& thread : threads) thread.join();
      return wrong.load();
    }));
  for (const pid_t child : children) EXPECT_EQ(exit_code(child), 0);
  for (int index = 0; index < keys; ++index) EXPECT_EQ(fs::file_size(scratch.path() / key_of(index)), 1u);
  std::size_t left = 0;
  for (const auto& entry : fs::directory_iterator(root / cache_schema / "cubin")) left += entry.is_regular_file();
  EXPECT_EQ(left, static_cast<std::size_t>(keys)) << "neither locks nor staging files stay behind";
}

TEST(CacheProcesses, AProducerThatIsKilledBlocksNobody) {
  const ScratchFolder scratch;
  const pid_t child = spawn([&] {
    FileCache(scratch.path(), std::nullopt).get("cubin", key_of(0), [&] {
      note(scratch.path() / "started");
      std::this_thread::sleep_for(60s);
      return payload_of(0);
    });
    return 0;
  });
  while (!fs::exists(scratch.path() / "started")) std::this_thread::sleep_for(1ms);
  kill(child, SIGKILL);
  EXPECT_EQ(exit_code(child), 128 + SIGKILL);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(FileCache(scratch.path(), std::nullopt).get("cubin", key_of(0), [] { return payload_of(0); }).bytes,
            payload_of(0));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(CacheProcesses, ReadersSeeOneWholeFileOrTheOther) {
  const ScratchFolder scratch;
  const fs::path file = scratch.path() / "file";
  publish_file(file, {payload_of(0)});
  const pid_t writer = spawn([&] {
    for (int i = 0; i < 20; ++i) publish_file(file, {payload_of(i % 2), payload_of(i % 2)});
    return 0;
  });
  int torn = 0;
  do {
    const std::string bytes = read_file(file).value_or("");
    torn +=
        bytes.empty() || bytes.size() % payload_of(0).size() != 0 || bytes.find_first_not_of(bytes[0]) != bytes.npos;
  } while (waitpid(writer, nullptr, WNOHANG) == 0);
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(read_file(file), payload_of(1) + payload_of(1));
}

TEST(CacheProcesses, StaleStagingFilesAreSwept) {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / cache_schema / "cubin";
  fs::create_directories(folder);
  const fs::path stale = folder / (std::string(staging_prefix) + "1-2-3"),
                 fresh = folder / (std::string(staging_prefix) + "4");
  note(stale);
  note(fresh);
  fs::last_write_time(stale, fs::file_time_type::clock::now() - 2h);
  FileCache(scratch.path(), std::nullopt).get("cubin", key_of(2), [] { return payload_of(2); });
  EXPECT_FALSE(fs::exists(stale));
  EXPECT_TRUE(fs::exists(fresh)) << "another process may be writing it";
}

TEST(StagedFiles, SweepWhatKilledProcessesLeftBesideThem) {
  const ScratchFolder scratch;
  const fs::path stale = scratch.path() / (std::string(staging_prefix) + "1-2-3"),
                 fresh = scratch.path() / (std::string(staging_prefix) + "1-2-4"),
                 other = scratch.path() / (std::string(staging_prefix) + "area"), lock = scratch.path() / "theirs.lock",
                 folder = scratch.path() / (std::string(staging_prefix) + "1-2-5");
  fs::create_directories(folder);
  for (const fs::path& file : {stale, fresh, other, lock}) note(file);
  for (const fs::path& file : {stale, other, lock, folder})
    fs::last_write_time(file, fs::file_time_type::clock::now() - 2h);
  publish_file(scratch.path() / "result", {"bytes"});
  EXPECT_FALSE(fs::exists(stale));
  EXPECT_TRUE(fs::exists(fresh)) << "another process may be writing it";
  EXPECT_TRUE(fs::exists(other) && fs::exists(lock) && fs::exists(folder)) << "not the project's own";
}

}  // namespace
}  // namespace rankone
