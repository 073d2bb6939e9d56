// SPDX-License-Identifier: MIT
// The end of an interrupted process: steps under way are finished, and what is temporary goes.
#include "runtime/interruption.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <list>
#include <thread>

#include <rankone/error.hpp>

#include "runtime/cache/file.hpp"
#include "scratch.hpp"

namespace rankone {
namespace {

using namespace std::chrono_literals;

// Its exit code.
template <class Work> int in_a_child(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Interruption, WaitsForStepsAndRemovesWhatIsTemporary) {
  const test::ScratchFolder scratch;
  const std::filesystem::path temporary = scratch.path() / "temporary", kept = scratch.path() / "kept",
                              lock = scratch.path() / "lock", late = scratch.path() / "late";
  const int code = in_a_child([&] {
    std::filesystem::create_directory(temporary);
    std::ofstream(temporary / "file") << "x";
    const Leftover known(temporary);
    const auto held = FileLock::acquire(lock, 1s);
    std::atomic<int> begun = 0;
    std::thread slow([&] {
      const Uninterrupted step, within;
      ++begun;
      std::this_thread::sleep_for(100ms);
      publish_file(kept, {"whole"});
    });
    std::thread idle([&] {
      ++begun;
      std::this_thread::sleep_for(50ms);
      publish_file(late, {"never"});
    });
    while (begun < 2) std::this_thread::yield();
    std::thread([] {
      leave_nothing_behind();
      _exit(7);
    }).detach();
    slow.join();
    idle.join();
  });
  EXPECT_EQ(code, 7) << "neither thread comes back";
  EXPECT_EQ(read_file(kept), "whole") << "it was under way";
  EXPECT_FALSE(std::filesystem::exists(late)) << "it had not begun";
  EXPECT_FALSE(std::filesystem::exists(temporary));
  EXPECT_FALSE(std::filesystem::exists(lock));
}

TEST(Interruption, StagedFilesAreThereOnlyOncePublished) {
  const test::ScratchFolder scratch;
  {
    const Uninterrupted step;
    StagedFile staged(scratch.path() / "never", {"x"});
    StagedFile published(scratch.path() / "file", {"a", "b"});
    published.publish();
  }
  EXPECT_EQ(read_file(scratch.path() / "file"), "ab");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(scratch.path())) ++files;
  EXPECT_EQ(files, 1u);
}

// Where one of several cannot be written, all stay as they were.
TEST(Interruption, SeveralFilesAreThereOrNoneIs) {
  const test::ScratchFolder scratch;
  const auto path = [&](const char* name) { return scratch.path() / name; };
  const auto write = [&](const char* last) {
    std::list<StagedFile> files;
    for (const char* name : {"old", "new", last})
      files.emplace_back(path(name), std::initializer_list<std::string_view>{"after"});
    publish_all(files);
  };
  const auto count = [&] { return std::distance(std::filesystem::directory_iterator(scratch.path()), {}); };
  publish_file(path("old"), {"before"});
  std::filesystem::create_directory(path("folder"));
  EXPECT_THROW(write("folder"), Error);
  EXPECT_EQ(read_file(path("old")), "before");
  EXPECT_FALSE(std::filesystem::exists(path("new")));
  EXPECT_TRUE(std::filesystem::is_directory(path("folder")));
  EXPECT_EQ(count(), 2) << "nothing else is left";
  write("last");
  for (const char* name : {"old", "new", "last"}) EXPECT_EQ(read_file(path(name)), "after") << name;
  EXPECT_EQ(count(), 4);
}

TEST(Files, OthersThanFilesAreNotWaitedFor) {
  const test::ScratchFolder scratch;
  const std::string pipe = (scratch.path() / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, scratch.path().string(), std::string("/dev/zero"), pipe + "/below"}) {
    EXPECT_FALSE(read_file(path)) << path;
    EXPECT_THROW(require_input_file(path, "a file"), Error) << path;
  }
}

}  // namespace
}  // namespace rankone
