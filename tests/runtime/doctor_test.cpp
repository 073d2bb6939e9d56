// SPDX-License-Identifier: MIT
// What doctor finds, and how it says what it does not find.
#include "runtime/doctor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "scratch.hpp"

namespace rankone {
namespace {

const FolderFound& folder(const Diagnosis& all, const std::string& purpose) {
  return *std::find_if(all.folders.begin(), all.folders.end(),
                       [&](const FolderFound& each) { return each.purpose == purpose; });
}

TEST(Doctor, SettingsSayWhereTheyComeFrom) {
  const test::ScratchFolder scratch;
  const test::EnvironmentScope cache("RANKONE_CACHE_DIR", scratch.path().c_str()), data("RANKONE_DATA_DIR", nullptr),
      xdg("XDG_DATA_HOME", scratch.path().c_str()), compiler("RANKONE_CXX", "/nonexistent/c++");
  const Diagnosis all = diagnose();
  EXPECT_EQ(folder(all, "cache").origin, "RANKONE_CACHE_DIR");
  EXPECT_TRUE(folder(all, "cache").writable);
  EXPECT_EQ(folder(all, "tuned data").origin, "XDG_DATA_HOME");
  EXPECT_EQ(folder(all, "tuned data").path, (scratch.path() / "rankone").string());
  EXPECT_FALSE(folder(all, "tuned data").exists) << "looking makes no folder";
  EXPECT_TRUE(folder(all, "tuned data").problem.empty());
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << "nothing stays behind";
  EXPECT_FALSE(all.compiler.found());
  EXPECT_NE(all.compiler.problem.find("/nonexistent/c++"), std::string::npos);
  for (const SettingFound& each : all.settings)
    if (each.name == "RANKONE_CACHE_DIR" || each.name == "RANKONE_DATA_DIR") {
      EXPECT_EQ(each.origin, each.name == "RANKONE_CACHE_DIR" ? "environment" : "default");
    }
}

TEST(Doctor, AFolderThatCannotBeIsAProblem) {
  const test::ScratchFolder scratch;
  std::ofstream(scratch.path() / "file") << "x";
  const std::string below = scratch.path() / "file" / "below", file = scratch.path() / "file";
  {
    const test::EnvironmentScope cache("RANKONE_CACHE_DIR", below.c_str());
    EXPECT_FALSE(folder(diagnose(), "cache").problem.empty());
  }
  {
    const test::EnvironmentScope cache("RANKONE_CACHE_DIR", file.c_str());
    EXPECT_NE(folder(diagnose(), "cache").problem.find("not a folder"), std::string::npos);
  }
  {
    const test::EnvironmentScope cache("RANKONE_CACHE_DIR", "/proc/rankone");  // takes no folder, not even from root
    EXPECT_EQ(folder(diagnose(), "cache").problem.find("/proc: cannot be written ("), 0u);
  }
  const test::EnvironmentScope cache("RANKONE_CACHE_DIR", nullptr), xdg("XDG_CACHE_HOME", "relative"),
      home("HOME", nullptr);
  EXPECT_EQ(folder(diagnose(), "cache").origin, "none");
}

TEST(Doctor, EachLibraryIsFoundOrASentence) {
  const Diagnosis all = diagnose();
  EXPECT_EQ(all.version.find("0."), 0u);
  EXPECT_TRUE(all.nvrtc.found() || !all.nvrtc.problem.empty());
  EXPECT_TRUE(all.driver.found() || !all.driver.problem.empty());
  EXPECT_EQ(all.nvrtc.found(), !all.nvrtc.archs.empty());
  EXPECT_TRUE(all.driver.found() || all.gpus.empty());
  EXPECT_EQ(all.compiler.found(), !all.compiler.version.empty());
}

}  // namespace
}  // namespace rankone
