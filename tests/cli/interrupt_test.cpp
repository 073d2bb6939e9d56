// SPDX-License-Identifier: MIT
// A signal at any moment: the exit code is the signal's, and nothing half-done stays behind.
#include <signal.h>
#include <unistd.h>

#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "folder.hpp"
#include "process.hpp"

namespace rankone::test {
namespace {

bool has_nvrtc() { return rankone({"compile", "linear", "--arch", "sm_80", "--shape", "K=16,V=16"}).code == 0; }

// Processes whose command line names `text`.
int processes_with(const std::string& text) {
  int count = 0;
  std::error_code ignored;
  for (const auto& each : std::filesystem::directory_iterator("/proc", ignored))
    count += contents(each.path().string() + "/cmdline").find(text) != std::string::npos;
  return count;
}

std::vector<std::string> hidden_or_locked(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& each : std::filesystem::recursive_directory_iterator(folder, ignored)) {
    const std::string name = each.path().filename().string();
    if (name[0] == '.' || name.ends_with(".lock")) names.push_back(name);
  }
  return names;
}

struct Ending {
  int signal, code;
};

TEST(Interrupt, EndsACompilationWithItsOwnCodeAtAnyMoment) {
  if (!has_nvrtc()) GTEST_SKIP() << "no NVRTC here";
  for (const auto [signal, code] : {Ending{SIGINT, 130}, Ending{SIGTERM, 143}})
    for (int after = 5; after < 130; after += 7) {
      const Folder folder;
      const Finished done = interrupted({"compile", "gla", "--arch", "all", "--json"}, signal, after, true,
                                        {{"RANKONE_CACHE_DIR", folder / "cache"}});
      EXPECT_EQ(done.code, code) << "after " << after << " ms";
      EXPECT_EQ(done.out, "");
      EXPECT_EQ(hidden_or_locked(folder.path()), std::vector<std::string>{}) << "after " << after << " ms";
    }
}

// A signal that is ignored for a moment is lost for good: NVRTC must not touch what is done with those that are ours.
TEST(Interrupt, IsLeftAloneByNvrtc) {
  if (!has_nvrtc()) GTEST_SKIP() << "no NVRTC here";
  const Folder folder;
  const Finished done =
      run({"sh", "-c",
           RANKONE_COMMAND " compile gla --arch sm_90a > /dev/null & "
                           "while kill -0 $! 2> /dev/null; do grep -E 'Sig(Blk|Cgt)' /proc/$!/status; done"},
          {}, {{"RANKONE_CACHE_DIR", folder / "cache"}});
  constexpr unsigned long long ours = 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1);
  std::istringstream lines(done.out);
  int seen = 0;
  bool blocked = false;  // before, it still is the shell, or has just begun
  for (std::string name, mask; lines >> name >> mask;) {
    const unsigned long long bits = std::stoull(mask, nullptr, 16);
    if (name == "SigBlk:") blocked = (bits >> (SIGTERM - 1) & 1) != 0;  // a shell has its jobs ignore SIGINT
    if (name != "SigCgt:" || !blocked) continue;
    EXPECT_EQ(bits & ours, 0u) << mask;
    ++seen;
  }
  EXPECT_GT(seen, 10) << "looked too late";
}

TEST(Interrupt, LeavesAWholeExportOrNone) {
  const Folder cache;
  const std::vector<Setting> own = {{"RANKONE_CACHE_DIR", cache.path()}};
  const std::vector<std::string> words = {"export", "gla", "--arch", "sm_90a", "-o"};
  const auto to = [&](const std::string& folder) {
    std::vector<std::string> all = words;
    all.push_back(folder);
    return all;
  };
  const Folder first;
  ASSERT_EQ(rankone(to(first / "out"), {}, own).code, 0);
  std::size_t whole = 0;
  for (const auto& each : std::filesystem::directory_iterator(first / "out")) whole += each.is_regular_file();
  for (int after = 1; after < 60; after += 2) {
    const Folder folder;
    std::filesystem::create_directory(folder / "out");
    const Finished done = interrupted(to(folder / "out"), after % 4 == 1 ? SIGINT : SIGTERM, after, after % 8 < 4, own);
    EXPECT_TRUE(done.code == 0 || done.code == (after % 4 == 1 ? 130 : 143)) << done.code;
    std::size_t files = 0;
    for (const auto& each : std::filesystem::directory_iterator(folder / "out")) files += each.is_regular_file();
    EXPECT_TRUE(files == 0 || files == whole) << files << " files after " << after << " ms";
    EXPECT_EQ(hidden_or_locked(folder.path()), std::vector<std::string>{});
  }
}

// A compiler that never ends, even where it is asked to, with a temporary file and a child of its own.
std::string slow_compiler(const Folder& folder) {
  const std::string file =
      folder.write("slow", "#!/bin/sh\ntrap '' TERM\nmktemp > /dev/null\ntail -f \"$0\" > /dev/null\n");
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  return file;
}

TEST(Interrupt, EndsTheHostCompilerWithItsFiles) {
  for (const auto [signal, code] : {Ending{SIGINT, 130}, Ending{SIGTERM, 143}})
    for (const bool whole_group : {false, true}) {
      const Folder folder;
      std::filesystem::create_directory(folder / "tmp");
      const std::string compiler = slow_compiler(folder);
      const Finished done =
          interrupted(split("check gla --device cpu --shape T=16,H=1,K=16,V=16"), signal, 400, whole_group,
                      {{"RANKONE_CACHE_DIR", folder / "cache"}, {"TMPDIR", folder / "tmp"}, {"RANKONE_CXX", compiler}});
      EXPECT_EQ(done.code, code);
      EXPECT_EQ(done.err, "") << "no word of a compiler that was killed";
      EXPECT_TRUE(std::filesystem::is_empty(folder / "tmp"));
      EXPECT_EQ(hidden_or_locked(folder.path()), std::vector<std::string>{});
      // One that is told to end still has to get a core for it.
      for (int i = 0; i < 200 && processes_with(compiler) > 0; ++i) usleep(10'000);
      EXPECT_EQ(processes_with(compiler), 0) << "a compiler is left";
    }
}

TEST(Interrupt, LeavesNothingOfARealBuild) {
  for (int after = 20; after < 400; after += 40) {
    const Folder folder;
    std::filesystem::create_directory(folder / "tmp");
    const Finished done =
        interrupted(split("check gla --device cpu --shape T=16,H=1,K=16,V=16"), SIGINT, after, after % 80 == 20,
                    {{"RANKONE_CACHE_DIR", folder / "cache"}, {"TMPDIR", folder / "tmp"}});
    EXPECT_TRUE(done.code == 0 || done.code == 130) << done.code << done.err;
    EXPECT_TRUE(std::filesystem::is_empty(folder / "tmp")) << after;
    EXPECT_EQ(hidden_or_locked(folder.path()), std::vector<std::string>{}) << after;
  }
}

}  // namespace
}  // namespace rankone::test
