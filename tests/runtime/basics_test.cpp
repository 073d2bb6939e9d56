// SPDX-License-Identifier: MIT
// Tensors as views, settings and their origin, lines on the log.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include <rankone/error.hpp>
#include <rankone/tensor.hpp>

#include "runtime/log.hpp"
#include "runtime/paths.hpp"
#include "scratch.hpp"

namespace rankone {
namespace {

using test::EnvironmentScope;

TEST(Tensors, AreRowMajorUnlessStridesAreGiven) {
  float data[24];
  const Tensor tensor(data, dtype::f32, {2, 3, 4});
  EXPECT_EQ(tensor.rank, 3);
  EXPECT_EQ(tensor.strides[0], 12);
  EXPECT_EQ(tensor.strides[2], 1);
  EXPECT_EQ(tensor.elements(), 24);
  EXPECT_TRUE(tensor.contiguous());
  EXPECT_TRUE(static_cast<bool>(tensor));
  EXPECT_FALSE(static_cast<bool>(Tensor()));
  EXPECT_FALSE(Tensor(data, dtype::f32, {2, 3, 4}, {24, 4, 1}).contiguous());
  EXPECT_TRUE(Tensor(data, dtype::f32, {1, 3, 4}, {99, 4, 1}).contiguous()) << "a stride that is never taken";
  EXPECT_TRUE(Tensor(nullptr, dtype::f32, {0, 3}, {7, 7}).contiguous()) << "no elements";
  EXPECT_EQ(Tensor(data, dtype::f32, {}).elements(), 1);
}

TEST(Tensors, TakeSizesThatAreKnownAtRunTime) {
  const float data[6] = {};
  const std::array<std::int64_t, 2> fixed = {2, 3};
  const std::vector<std::int64_t> sizes(fixed.begin(), fixed.end());
  for (const Tensor& tensor : {Tensor::view(data, dtype::f32, fixed), Tensor::view(data, dtype::f32, sizes),
                               Tensor::view(data, dtype::f32, {2, 3})}) {
    EXPECT_EQ(tensor.data, data);
    EXPECT_EQ(tensor.rank, 2);
    EXPECT_EQ(tensor.strides[0], 3);
    EXPECT_TRUE(tensor.read_only);
  }
  float own[6];
  EXPECT_FALSE(Tensor(own, dtype::f32, sizes).read_only);
  EXPECT_THROW(Tensor(own, dtype::f32, std::vector<std::int64_t>(max_rank + 1, 1)), Error);
}

TEST(Tensors, RefuseWhatTheyCannotHold) {
  EXPECT_THROW(Tensor(nullptr, dtype::f32, {1, 2, 3, 4, 5, 6}), Error);
  EXPECT_THROW(Tensor(nullptr, dtype::f32, {1, 2}, {1}), Error);
  constexpr std::int64_t big = std::int64_t{1} << 40;
  EXPECT_THROW(Tensor(nullptr, dtype::f32, {big, big}).elements(), Error);
}

TEST(Settings, TheCacheFolderFollowsItsOrder) {
  const EnvironmentScope own("RANKONE_CACHE_DIR", nullptr), xdg("XDG_CACHE_HOME", nullptr),
      home("HOME", "/home/someone");
  EXPECT_EQ(cache_directory()->value, "/home/someone/.cache/rankone");
  EXPECT_EQ(cache_directory()->origin, "default");
  const EnvironmentScope relative("XDG_CACHE_HOME", "relative");
  EXPECT_EQ(cache_directory()->origin, "default");
  const EnvironmentScope absolute("XDG_CACHE_HOME", "/cache");
  EXPECT_EQ(cache_directory()->value, "/cache/rankone");
  EXPECT_EQ(cache_directory()->origin, "XDG_CACHE_HOME");
  const EnvironmentScope given("RANKONE_CACHE_DIR", "/mine");
  EXPECT_EQ(cache_directory()->value, "/mine");
  EXPECT_EQ(cache_directory()->origin, "RANKONE_CACHE_DIR");
}

TEST(Settings, TheHostCompilerFollowsItsOrder) {
  const EnvironmentScope own("RANKONE_CXX", nullptr), general("CXX", nullptr);
  EXPECT_EQ(host_compiler().value, "c++");
  const EnvironmentScope cxx("CXX", "clang++");
  EXPECT_EQ(host_compiler().origin, "CXX");
  const EnvironmentScope empty("RANKONE_CXX", "");
  EXPECT_EQ(host_compiler().origin, "CXX") << "empty counts as unset";
  const EnvironmentScope given("RANKONE_CXX", "g++");
  EXPECT_EQ(host_compiler().value, "g++");
}

TEST(Log, LetsThroughWhatItsLevelAllows) {
  const LogLevel before = log_level();
  set_log_level(LogLevel::warn);
  testing::internal::CaptureStderr();
  log(LogLevel::info, "quiet");
  log(LogLevel::warn, "loud");
  set_log_level(LogLevel::off);
  log(LogLevel::error, "silent");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "rankone: warn: loud\n");
  set_log_level(before);
}

TEST(LogDeathTest, AnUnknownLevelIsSaidOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the level is read once a process
  const EnvironmentScope scope("RANKONE_LOG", "chatty");
  EXPECT_EXIT(
      {
        log(LogLevel::debug, "hidden");
        log(LogLevel::debug, "hidden");
        _exit(0);
      },
      testing::ExitedWithCode(0),
      "^rankone: warn: RANKONE_LOG is not a log level; given chatty; accepted: off, error, warn, info, debug\n$");
}

TEST(Errors, AreOneLineOfBoundedLength) {
  const Error error(ErrorCode::invalid_argument, "a\nb", std::string("q\0r", 3), "\x1b[31m", std::string(5000, 'w'));
  EXPECT_EQ(error.message(), "a\\nb");
  EXPECT_EQ(error.given(), "q\\x00r");
  EXPECT_EQ(error.accepted(), "\\x1b[31m");
  EXPECT_EQ(error.where().size(), 303u);
  EXPECT_EQ(error.where().find("..."), 200u);
  EXPECT_EQ(one_line("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 6), "\xC3\xA9\xC3\xA9...\xC3\xA9") << "no letter is cut";
  const Error report(ErrorCode::check_failed, "one\ntwo");
  EXPECT_EQ(report.message(), "one\ntwo") << "a report may have lines";
}

}  // namespace
}  // namespace rankone
