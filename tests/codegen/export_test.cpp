// SPDX-License-Identifier: MIT
// Exported programs side by side: the worked launch of the pages compiles, and texts of several configurations link.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "codegen/c_header.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

bool runs(const std::string& command) { return std::system(command.c_str()) == 0; }

class Folder {
 public:
  Folder() : path_(std::filesystem::path(testing::TempDir()) / ("rankone_export_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

TEST(Exported, TheWorkedLaunchCompiles) {
  if (!runs("cc --version > /dev/null 2>&1")) GTEST_SKIP() << "no C compiler";
  std::ifstream file(RANKONE_SOURCE_DIR "/docs/exporting.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  const std::size_t begin = page.find("```c\n") + 5, end = page.find("```\n", begin);
  ASSERT_LT(begin, end);
  const Folder folder;
  const Program program = program_of(variants::gla, {.key_dim = 128, .value_dim = 128});
  std::ofstream(folder / (program.name + ".h")) << c_header(program);
  std::ofstream(folder / "launch.c") << std::regex_replace(
      page.substr(begin, end - begin), std::regex("gla_forward_k128v128_bf16_[0-9a-f]{8}"), program.name);
  EXPECT_TRUE(runs("cc -std=c11 -Wall -Wextra -Werror -I" RANKONE_SOURCE_DIR "/tests/codegen/driver -c " +
                   folder / "launch.c" + " -o " + folder / "launch.o"));
}

// Two sizes, types, architectures and passes in one device program: no symbol is in two.
TEST(Exported, SeveralLinkIntoOneProgram) {
  std::string nvcc = "/usr/local/cuda/bin/nvcc";
  if (!std::filesystem::exists(nvcc)) nvcc = "nvcc";
  if (!runs(nvcc + " --version > /dev/null 2>&1")) GTEST_SKIP() << "nvcc is not installed";
  const auto program = [](int size, dtype type, const char* arch, Pass pass = Pass::forward) {
    return program_of(variants::linear, {.key_dim = size, .value_dim = size, .dtype = type}, arch, pass);
  };
  const Folder folder;
  std::string objects;
  for (const Program& each :
       {program(32, dtype::bf16, "sm_80"), program(64, dtype::bf16, "sm_80"), program(32, dtype::f16, "sm_80"),
        program(32, dtype::bf16, "sm_86"), program(32, dtype::bf16, "sm_80", Pass::combine)}) {
    const std::string object = folder / (each.name + ".o");
    std::ofstream(folder / (each.name + ".cu")) << emit(each);
    ASSERT_TRUE(runs(nvcc + " -Xptxas -O0 -arch=sm_86 -dc " + folder / (each.name + ".cu") + " -o " + object))
        << each.name;
    objects += " " + object;
  }
  EXPECT_TRUE(runs(nvcc + " -arch=sm_86 -dlink" + objects + " -o " + folder / "linked.o"));
  EXPECT_TRUE(runs("ld -r" + objects + " -o " + folder / "together.o")) << "the host's side, too";
}

}  // namespace
}  // namespace rankone
