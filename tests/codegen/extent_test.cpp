// SPDX-License-Identifier: MIT
// Extents: the host, the manifest's JSON and the header's C give the same numbers, for every program and random sizes.
#include "codegen/extent.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <nlohmann/json.hpp>

#include "codegen/c_header.hpp"
#include "codegen/manifest.hpp"
#include "runtime/cpu/host_compiler.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

using nlohmann::json;

// A reader of the manifest's own, from what the manifest says of itself.
class JsonSizes {
 public:
  JsonSizes(const json& manifest, const Sizes64& sizes) : definitions_(manifest.at("sizes").at("definitions")) {
    values_ = {{"B", sizes.batch},
               {"T", sizes.tokens},
               {"N", sizes.sequences},
               {"H", sizes.heads},
               {"HV", sizes.value_heads},
               {"packed", sizes.packed},
               {"multiprocessors", sizes.multiprocessors},
               {"Tk", sizes.key_tokens}};
  }
  std::int64_t operator()(const json& size) const {
    if (size.is_number()) return size.get<std::int64_t>();
    if (size.is_string()) {
      const auto found = values_.find(size.get<std::string>());
      return found != values_.end() ? found->second : (*this)(definitions_.at(size.get<std::string>()));
    }
    const std::string& name = size.begin().key();
    const json& operands = size.begin().value();
    if (name == "select") return (*this)(operands.at((*this)(operands.at(0)) != 0 ? 1 : 2));
    const std::int64_t a = (*this)(operands.at(0)), b = (*this)(operands.at(1));
    if (name == "add") return a + b;
    if (name == "subtract") return a - b;
    if (name == "multiply") return a * b;
    if (name == "divide") return a / b;
    if (name == "ceil_div") return (a + b - 1) / b;
    if (name == "min") return std::min(a, b);
    if (name == "max") return std::max(a, b);
    if (name == "less") return a < b ? 1 : 0;
    ADD_FAILURE() << name;
    return 0;
  }

 private:
  json definitions_;
  std::map<std::string, std::int64_t> values_;
};

std::vector<Program> programs() {
  const auto program = [](Level level) {
    return program_of(variants::gla, {.key_dim = 64, .value_dim = 128, .pins = {.level = level}});
  };
  return {program(Level::serial),
          program(Level::chunk),
          program(Level::segment),
          program_of(variants::gla, {.key_dim = 256, .value_dim = 512, .pins = {.prepared = true}}),
          program_of(variants::lite_la, {.key_dim = 64, .value_dim = 128}),
          program_of(variants::abc, {.key_dim = 64, .value_dim = 128, .slot_dim = 48}, "sm_90a", Pass::backward),
          program_of(variants::gla, {.key_dim = 64, .value_dim = 128}, "sm_90a", Pass::states),
          program_of(variants::gla, {.key_dim = 64, .value_dim = 128}, "sm_90a", Pass::combine)};
}

std::vector<Sizes64> random_sizes(int count) {
  std::mt19937_64 random(7);
  const auto below = [&](std::int64_t most) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most));
  };
  std::vector<Sizes64> all = {
      {.tokens = 0}, {.batch = 0}, {.sequences = 0, .packed = 1}, {.tokens = 1 << 20, .heads = 64, .value_heads = 64}};
  for (int i = 0; i < count; ++i) {
    const bool packed = below(2) != 0;
    const std::int64_t heads = 1 + below(16), batch = packed ? 1 : below(200);
    all.push_back({.batch = batch,
                   .tokens = below(std::int64_t{1} << below(20)),
                   .sequences = packed ? 1 + below(100) : batch,
                   .heads = heads,
                   .value_heads = heads * (1 + below(3)),
                   .packed = packed,
                   .multiprocessors = 1 + below(200),
                   .key_tokens = below(5000)});
  }
  return all;
}

// What is asked of each program, by the host.
std::vector<std::int64_t> by_host(const Program& program, const Sizes64& sizes) {
  std::vector<std::int64_t> values = {workspace_of(program).evaluate(sizes), program.segment_tokens.evaluate(sizes)};
  for (std::size_t i = 0; i < program.regions.size(); ++i) values.push_back(offset_of(program, i).evaluate(sizes));
  for (const Kernel& kernel : program.kernels) {
    values.push_back(kernel.blocks.evaluate(sizes));
    values.push_back(kernel.items.evaluate(sizes));
  }
  return values;
}

std::vector<std::int64_t> by_json(const Program& program, const Sizes64& sizes) {
  const json manifest = json::parse(manifest_json(program));
  const JsonSizes value(manifest, sizes);
  std::vector<std::int64_t> values = {value(manifest.at("workspace").at("bytes")),
                                      value(manifest.at("launch").at("segment_tokens"))};
  for (const json& region : manifest.at("workspace").at("regions")) values.push_back(value(region.at("offset")));
  for (const json& kernel : manifest.at("kernels")) {
    values.push_back(value(kernel.at("blocks")));
    values.push_back(value(kernel.at("items")));
  }
  return values;
}

// A C program that prints the same numbers, a line for each program and size.
std::string c_program(const std::vector<Program>& all, const std::vector<Sizes64>& sizes) {
  std::string text = "#include <stdio.h>\n", calls;
  for (std::size_t p = 0; p < all.size(); ++p) {
    const std::string& name = all[p].name;
    text += c_header(all[p]) + "static void print" + std::to_string(p) + "(" + name + "_shape s) {\n" +
            "  printf(\"%lld %lld\", (long long)" + name + "_workspace_bytes(&s), (long long)" + name +
            "_segment_tokens(&s));\n";
    for (const Region& region : all[p].regions)
      text += "  printf(\" %lld\", (long long)" + name + "_" + region.name + "_offset(&s));\n";
    text += "  for (int i = 0; i < " + name + "_kernels; ++i)\n    printf(\" %lld %lld\", (long long)" + name +
            "_kernel_at(i, &s).blocks, (long long)" + name + "_kernel_at(i, &s).items);\n  puts(\"\");\n}\n";
    for (const Sizes64& each : sizes) {
      calls += "  { " + name + "_shape s = {";
      for (const std::int64_t value :
           {each.batch, each.tokens, each.sequences, each.heads, each.value_heads, each.packed, each.multiprocessors})
        calls += std::to_string(value) + ", ";
      if (all[p].variant.non_causal_) calls += std::to_string(each.key_tokens);
      calls += "}; print" + std::to_string(p) + "(s); }\n";
    }
  }
  return text + "int main(void) {\n" + calls + "  return 0;\n}\n";
}

std::string line_of(const std::vector<std::int64_t>& values) {
  std::string line;
  for (const std::int64_t value : values) line += (line.empty() ? "" : " ") + std::to_string(value);
  return line;
}

bool runs(const std::string& command) { return std::system(command.c_str()) == 0; }

TEST(Extents, AreTheSameForTheHostJsonAndC) {
  const std::vector<Program> all = programs();
  const std::vector<Sizes64> sizes = random_sizes(40);
  std::vector<std::string> expected;
  for (const Program& program : all)
    for (const Sizes64& each : sizes) {
      expected.push_back(line_of(by_host(program, each)));
      EXPECT_EQ(line_of(by_json(program, each)), expected.back()) << program.name;
    }
  if (!runs("cc --version > /dev/null 2>&1")) GTEST_SKIP() << "no C compiler";
  const std::string stem = testing::TempDir() + "rankone_extents_" + std::to_string(getpid());
  std::ofstream(stem + ".c") << c_program(all, sizes);
  ASSERT_TRUE(
      runs("cc -std=c11 -Wall -Wextra -Werror " + stem + ".c -o " + stem + " && " + stem + " > " + stem + ".txt"));
  std::ifstream printed(stem + ".txt");
  for (const std::string& line : expected) {
    std::string got;
    ASSERT_TRUE(std::getline(printed, got));
    EXPECT_EQ(got, line);
  }
  for (const char* end : {".c", "", ".txt"}) std::filesystem::remove(stem + end);
}

// Of every operation within every other.
Extent random_extent(std::mt19937_64& random, int depth) {
  const auto below = [&](std::uint64_t most) { return random() % most; };
  if (depth == 0) {
    constexpr Size sizes[] = {Size::batch, Size::tokens, Size::sequences, Size::heads, Size::value_heads};
    return below(3) == 0 ? Extent(static_cast<std::int64_t>(1 + below(9))) : Extent(sizes[below(5)]);
  }
  const Extent a = random_extent(random, depth - 1), b = random_extent(random, depth - 1);
  switch (below(10)) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / max(b, 1);
    case 4: return ceil_div(max(a, 0), max(b, 1));
    case 5: return min(a, b);
    case 6: return max(a, b);
    case 7: return a < b;
    case 8: return a / (Extent(Size::heads) * Size::batch);  // a product as it is, where its own brackets tell
    default: return select(a, b, random_extent(random, depth - 1));
  }
}

TEST(Extents, MeanTheSameInCHoweverTheyNest) {
  if (!runs("cc --version > /dev/null 2>&1")) GTEST_SKIP() << "no C compiler";
  constexpr Sizes64 sizes{.batch = 3, .tokens = 17, .sequences = 5, .heads = 2, .value_heads = 4};
  std::mt19937_64 random(11);
  std::string functions = extent_helpers("p"), calls;
  for (int i = 0; i < 300; ++i) {
    const Extent extent = random_extent(random, 1 + i % 4);
    const std::string name = "e" + std::to_string(i);
    functions += extent_function("p", name, extent);
    calls += "  if (p_" + name + "(&s) != " + std::to_string(extent.evaluate(sizes)) + ") return 1 + " +
             std::to_string(i) + " % 200;\n";
  }
  const std::string stem = testing::TempDir() + "rankone_nested_" + std::to_string(getpid());
  std::ofstream(stem + ".c") << "#include <stdint.h>\n"
                             << functions << "int main(void) {\n  const p_shape s = {3, 17, 5, 2, 4, 0, 1};\n"
                             << calls << "  return 0;\n}\n";
  EXPECT_TRUE(runs("cc -std=c11 " + stem + ".c -o " + stem + " && " + stem));
  for (const char* end : {".c", ""}) std::filesystem::remove(stem + end);
}

TEST(Extents, HeadersStandAlone) {
  if (!runs("cc --version > /dev/null 2>&1") || !runs("c++ --version > /dev/null 2>&1")) GTEST_SKIP() << "no compiler";
  const std::string stem = testing::TempDir() + "rankone_header_" + std::to_string(getpid());
  // All of them together, too: no name is in two.
  std::string together;
  for (const Program& program : programs()) {
    std::ofstream(stem + program.name + ".h") << c_header(program);
    together += "#include \"" + stem + program.name + ".h\"\n";
  }
  for (const char* end : {".c", ".cpp"}) std::ofstream(stem + end) << together << together;
  EXPECT_TRUE(runs("cc -std=c11 -Wall -Wextra -Wpedantic -Werror -c " + stem + ".c -o " + stem + ".o"));
  EXPECT_TRUE(runs("c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -c " + stem + ".cpp -o " + stem + ".o"));
  for (const Program& program : programs()) std::filesystem::remove(stem + program.name + ".h");
  for (const char* end : {".c", ".cpp", ".o"}) std::filesystem::remove(stem + end);
}

TEST(Extents, AreFoldedWhereTheyAreKnown) {
  EXPECT_EQ((Extent(3) * 4 + 1).json(), "13");
  EXPECT_EQ((Extent(Size::tokens) * 1 + 0).json(), "\"T\"");
  EXPECT_EQ(ceil_div(Extent(Size::tokens), 64).c("p"), "p_ceil_div(s->T, 64)");
  EXPECT_EQ(select(Extent(Size::packed), 2, 3).json(), "{\"select\": [\"packed\", 2, 3]}");
}

}  // namespace
}  // namespace rankone
