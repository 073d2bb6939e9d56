// SPDX-License-Identifier: MIT
// Kernels reach global memory by words alone: what the CPU device does not see, it cannot check.
#include <regex>
#include <string>

#include <gtest/gtest.h>

#include "codegen/templates.hpp"

namespace rankone {
namespace {

// Lines of a kernel that make a typed pointer of an address, or take one out of a place in global memory.
std::string raw_accesses(std::string_view path, std::string_view text) {
  static const std::regex raw(R"(_cast<[^<>]*(<[^<>]*>)?[^<>]*\*( const)?>|\.address\b|\]? *\(\w[\w ]*\*\) *\w)");
  std::string found;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    line.resize(std::min(line.find("//"), line.size()));
    if (std::regex_search(line, raw)) found += std::string(path) + ":" + std::to_string(number) + ": " + line + "\n";
  }
  return found;
}

TEST(MemoryWords, AreTheOnlyWayToGlobalMemory) {
  int kernels = 0;
  for (const TemplateFile& file : template_files()) {
    if (!file.path.starts_with("kernels/") && !file.path.starts_with("hopper/")) continue;
    ++kernels;
    EXPECT_EQ(raw_accesses(file.path, file.text), "");
  }
  EXPECT_GT(kernels, 20);
}

TEST(MemoryWords, AreMissedWherePointersAreRaw) {
  for (const char* line :
       {"float x = *static_cast<const float*>(arguments.initial_state);", "*reinterpret_cast<Pair*>(target) = pair;",
        "T* const base = static_cast<T* const>(data);", "const auto* p = static_cast<const Quad<bf16>*>(a.data);",
        "return base.address[3];", "float y = *(const float*)state;", "float y = ((float*) arguments.output.data)[1];"})
    EXPECT_NE(raw_accesses("kernels/it.cuh", line), "") << line;
  for (const char* line : {"const float* const x = a + 4 * tile;", "float x = static_cast<float>(a * b);",
                           "const T value = global_load<T>(global<const T>(tensor.data) + i);  // a *(float*)p"})
    EXPECT_EQ(raw_accesses("kernels/it.cuh", line), "") << line;
}

}  // namespace
}  // namespace rankone
