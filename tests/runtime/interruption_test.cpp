// SPDX-License-Identifier: MIT
// The end of an interrupted process: steps under way are finished, and what is temporary goes.
#include "runtime/interruption.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

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

}  // namespace
}  // namespace rankone
