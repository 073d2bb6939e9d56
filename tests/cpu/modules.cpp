// SPDX-License-Identifier: MIT
// Building host modules: the cache, other compilers, and what a user reads when it does not work.
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <rankone/error.hpp>

#include "runtime/cpu/temporary_folder.hpp"
#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

// Sets an environment variable while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    if (value)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  }
  ~Variable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class Modules : public testing::Test {
 protected:
  Modules() {
    std::string pattern = (fs::temp_directory_path() / "rankone-modules-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    cache_.emplace("RANKONE_CACHE_DIR", (folder_ / "cache").c_str());
    cxx_.emplace("RANKONE_CXX", nullptr);
  }
  ~Modules() override { fs::remove_all(folder_); }

  // A compiler that appends a line to `log`, then is c++.
  std::string counting_compiler() {
    const fs::path script = folder_ / "compiler";
    std::ofstream(script) << "#!/bin/sh\necho >> " << (folder_ / "log").string() << "\nexec c++ \"$@\"\n";
    fs::permissions(script, fs::perms::owner_all);
    return script.string();
  }
  int compilations() {
    std::ifstream log(folder_ / "log");
    int count = 0;
    for (std::string line; std::getline(log, line);) ++count;
    return count;
  }
  static int answer(const HostModule& module) {
    int result = 0;
    TestArguments arguments{};
    arguments.output.data = &result;
    emulate(module, {.entry = "kernel"}, arguments);
    return result;
  }
  static std::string text(int answer, const std::string& more = {}) {
    return kernel_text("if (t == 0) *static_cast<int*>(a.output.data) = " + std::to_string(answer) + ";" + more);
  }
  static Error refusal(const std::string& text) {
    try {
      HostModule::build(text);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::internal, "nothing was refused");
  }

  fs::path folder_;
  std::optional<Variable> cache_, cxx_;
};

TEST_F(Modules, AreBuiltOnceAndCached) {
  const Variable compiler("RANKONE_CXX", counting_compiler().c_str());
  const std::string first = text(41);
  {
    const auto module = HostModule::build(first);
    EXPECT_FALSE(module->cached());
    EXPECT_EQ(HostModule::build(first), module);  // while it is held
    EXPECT_EQ(answer(*module), 41);
  }
  const auto again = HostModule::build(first);
  EXPECT_TRUE(again->cached());
  EXPECT_EQ(answer(*again), 41);
  EXPECT_EQ(compilations(), 1);
  const auto other = HostModule::build(text(42));
  EXPECT_EQ(answer(*other), 42);
  EXPECT_EQ(answer(*again), 41);
  EXPECT_EQ(compilations(), 2);
}

TEST_F(Modules, ManyThreadsBuildOnce) {
  const Variable compiler("RANKONE_CXX", counting_compiler().c_str());
  std::vector<std::shared_ptr<HostModule>> modules(6);
  {
    std::vector<std::jthread> threads;
    for (auto& module : modules) threads.emplace_back([&module] { module = HostModule::build(text(7)); });
  }
  EXPECT_EQ(compilations(), 1);
  for (const auto& module : modules) EXPECT_EQ(answer(*module), 7);
}

TEST_F(Modules, ADamagedEntryIsBuiltAgain) {
  HostModule::build(text(3));
  int damaged = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "cache"))
    if (entry.is_regular_file()) {
      fs::resize_file(entry.path(), entry.file_size() / 2);
      ++damaged;
    }
  EXPECT_EQ(damaged, 1);
  const auto module = HostModule::build(text(3));
  EXPECT_FALSE(module->cached());
  EXPECT_EQ(answer(*module), 3);
}

TEST_F(Modules, WorkWithoutACache) {
  std::ofstream(folder_ / "file") << "not a folder";
  const Variable cache("RANKONE_CACHE_DIR", (folder_ / "file").c_str());
  const auto one = HostModule::build(text(11)), two = HostModule::build(text(12));
  EXPECT_EQ(answer(*one), 11);
  EXPECT_EQ(answer(*two), 12);
}

TEST_F(Modules, ModulesKeepTheirTypesApart) {
  // Two texts define the same names differently, as two policies do.
  const auto with = [](int value) {
    return kernel_text("struct Local { static int& get() { static int value = " + std::to_string(value) +
                       "; return value; } };\n"
                       "if (t == 0) *static_cast<int*>(a.output.data) = Local::get() + Policy<int>::sizes[t];")
        .insert(0, "template <class T> struct Policy { static constexpr int sizes[] = {" + std::to_string(100 * value) +
                       "}; };\n");
  };
  const auto one = HostModule::build(with(1)), two = HostModule::build(with(2));
  EXPECT_EQ(answer(*one), 101);
  EXPECT_EQ(answer(*two), 202);
}

TEST_F(Modules, ACompilersWordsReachTheUser) {
  const Error error = refusal(text(1, "\nthis_is_not_declared();"));
  EXPECT_EQ(error.code(), ErrorCode::compile_failed);
  EXPECT_NE(std::string(error.what()).find("this_is_not_declared"), std::string::npos) << error.what();
  EXPECT_NE(std::string(error.what()).find("kernel.cu:"), std::string::npos) << error.what();
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "cache"))
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();  // a failure is never published
}

TEST_F(Modules, NoCompilerIsOneSentence) {
  const Variable compiler("RANKONE_CXX", "no-such-compiler");
  const Error error = refusal(text(1));
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  for (const char* piece : {"RANKONE_CXX", "no-such-compiler", "C++20"})
    EXPECT_NE(std::string(error.what()).find(piece), std::string::npos) << error.what();
}

TEST_F(Modules, ACompilerThatMakesNothingIsRefused) {
  const Variable compiler("RANKONE_CXX", "true");
  EXPECT_EQ(refusal(text(1)).code(), ErrorCode::unsupported);
}

TEST_F(Modules, FlagsOfTheUserCount) {
  const Variable compiler("RANKONE_CXX", "c++ -DGIVEN=5");
  EXPECT_EQ(answer(*HostModule::build(kernel_text("if (t == 0) *static_cast<int*>(a.output.data) = GIVEN;"))), 5);
}

TEST_F(Modules, FoldersThatKilledProcessesLeftAreSwept) {
  const Variable temporary("TMPDIR", folder_.c_str());
  const fs::path old = folder_ / "rankone-host-old", fresh = folder_ / "rankone-host-new", other = folder_ / "other";
  for (const fs::path& each : {old, fresh, other}) {
    fs::create_directory(each);
    std::ofstream(each / "kernel.cpp") << "left";
  }
  for (const fs::path& each : {old, other})
    fs::last_write_time(each, fs::file_time_type::clock::now() - std::chrono::hours(2));
  HostModule::build(text(1));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(fresh));
  EXPECT_TRUE(fs::exists(other));
}

// A process that makes a folder for the compiler, says where it is, and waits to be killed.
class Owner {
 public:
  Owner() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      const TemporaryFolder folder;
      const std::string path = folder.path().string() + '\n';
      if (::write(ends[1], path.data(), path.size()) < 0) ::_exit(1);
      for (;;) ::pause();
    }
    for (char letter = 0; ::read(ends[0], &letter, 1) == 1 && letter != '\n';) path_ += letter;
    for (const int end : ends) ::close(end);
  }
  ~Owner() { kill(); }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
  }
  const std::string& folder() const { return path_; }

 private:
  pid_t child_ = 0;
  std::string path_;
};

TEST_F(Modules, FoldersAreSweptAsSoonAsTheirOwnersAreDead) {
  const Variable temporary("TMPDIR", folder_.c_str());
  Owner dead, alive;
  ASSERT_TRUE(fs::exists(dead.folder()));
  dead.kill();
  sweep_temporary_folders();
  EXPECT_FALSE(fs::exists(dead.folder()));
  EXPECT_TRUE(fs::exists(alive.folder()));
  // Many at once, each sweeping before it makes its own.
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([] {
      for (int j = 0; j < 25; ++j) {
        const TemporaryFolder mine;
        std::ofstream(mine.path() / "kernel.cpp") << "here";
        sweep_temporary_folders();
        EXPECT_TRUE(fs::exists(mine.path() / "kernel.cpp"));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(fs::exists(alive.folder()));
}

TEST_F(Modules, ClangBuildsTheSameText) {
  if (std::system("clang++ --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no clang++ in PATH";
  const Variable compiler("RANKONE_CXX", "clang++");
  std::vector<float> out(64);
  TestKernel kernel(
      "shared_store<float>(4 * t, t);\nsync_block();\n"
      "static_cast<float*>(a.output.data)[t] = shared_load<float>(4 * (t ^ 32)) + to_float(f16{0x3c00});",
      64, 256);
  kernel.arguments.output.data = out.data();
  kernel.run();
  for (int t = 0; t < 64; ++t) EXPECT_EQ(out[static_cast<std::size_t>(t)], (t ^ 32) + 1);
}

TEST_F(Modules, ACachedBuildLoadsFast) {
  HostModule::build(text(9));
  double best = 1e9;
  for (int i = 0; i < 5; ++i) best = std::min(best, HostModule::build(text(9))->build_ms());
  EXPECT_LE(best, 5.0);
}

}  // namespace
}  // namespace rankone
