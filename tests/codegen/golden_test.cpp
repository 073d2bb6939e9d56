// SPDX-License-Identifier: MIT
// What the generator writes for a few variants, word for word. The inlined templates are checked to be lines of the files,
// settled conditions aside, and then left out but for their titles, so that a golden file shows what belongs to the variant.
//
// After an intended change: RANKONE_UPDATE_GOLDEN=1 codegen_test --gtest_filter='Golden.*', then read the difference.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "codegen/templates.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

constexpr std::string_view title = "// ---- ", last_title = "// ---- this variant";

// Lines of a template that the amalgamator keeps, blank ones aside.
std::vector<std::string> content_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const bool dropped = line.empty() || line.starts_with("#include \"") || line.starts_with("#pragma once") ||
                         line.starts_with("// SPDX");
    if (!dropped) lines.emplace_back(line);
  }
  return lines;
}

std::string_view trimmed(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

// Whether a line is that of a template, what is settled of it aside: its place, a condition, and that nobody uses it.
bool is_line_of(std::string line, const std::string& original) {
  constexpr std::string_view unused = "[[maybe_unused]] ", condition = "if constexpr (";
  if (line == original) return true;
  const std::string_view whole = trimmed(original);
  for (std::size_t at; whole.find(unused) == whole.npos && (at = line.find(unused)) != line.npos;)
    line.erase(at, unused.size());
  const std::string_view left = trimmed(line);
  if (left == whole) return true;
  const std::size_t at = whole.find(condition);
  if (at == whole.npos) return whole.starts_with("} else {") && left == "{";
  const std::size_t close = whole.find(") ", at);
  return whole.ends_with(left) ||
         (close != whole.npos && std::string(whole.substr(0, at)) + std::string(whole.substr(close + 2)) == left);
}

// The first of these lines that does not stand in the template, in this order; empty: all do.
std::string first_stranger(const std::vector<std::string>& lines, std::string_view path) {
  const std::vector<std::string> all = content_lines(template_text(path));
  auto at = all.begin();
  for (const std::string& line : lines) {
    at = std::find_if(at, all.end(), [&](const std::string& original) { return is_line_of(line, original); });
    if (at == all.end()) return line;
    ++at;
  }
  return {};
}

std::string without_templates(const std::string& text) {
  std::string result;
  std::size_t at = text.find(title);
  result = text.substr(0, at);
  while (text.compare(at, last_title.size(), last_title) != 0) {
    const std::size_t end_of_title = text.find('\n', at), next = text.find("\n" + std::string(title), end_of_title) + 1;
    const std::string line = text.substr(at, end_of_title - at);
    const std::string path = line.substr(title.size(), line.find(' ', title.size()) - title.size());
    EXPECT_EQ(first_stranger(content_lines(text.substr(end_of_title, next - end_of_title)), path), "") << path;
    result += line + "\n";
    at = next;
  }
  return result + text.substr(at);
}

void expect_golden(const std::string& name, const Program& program) {
  const std::string path = std::string(RANKONE_SOURCE_DIR "/tests/codegen/golden/") + name + ".cu";
  const std::string written = without_templates(emit(program));
  if (std::getenv("RANKONE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << written;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  EXPECT_EQ(written, std::string(std::istreambuf_iterator<char>(file), {})) << path;
}

TEST(Golden, Linear) { expect_golden("linear", program_of(variants::linear, {.key_dim = 64, .value_dim = 64})); }

TEST(Golden, GlaSigmoidAtTheChunkLevel) {
  expect_golden("gla_sigmoid_chunk",
                program_of(variants::gla_sigmoid, {.key_dim = 128, .value_dim = 128, .pins = {.level = Level::chunk}}));
}

TEST(Golden, GlaStates) {
  expect_golden("gla_states", program_of(variants::gla, {.key_dim = 64, .value_dim = 64}, "sm_90a", Pass::states));
}

TEST(Golden, Mamba2InFloat32) {
  expect_golden(
      "mamba2_f32",
      program_of(
          variants::mamba2,
          {.key_dim = 40, .value_dim = 72, .dtype = dtype::f32, .precision = Precision::f32, .pins = {.chunk = 16}}));
}

TEST(Golden, Hgrn2) {
  expect_golden("hgrn2_f16", program_of(variants::hgrn2, {.key_dim = 128, .value_dim = 128, .dtype = dtype::f16}));
}

}  // namespace
}  // namespace rankone
