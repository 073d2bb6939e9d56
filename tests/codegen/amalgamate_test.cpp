// SPDX-License-Identifier: MIT
// Inlining of headers, on small files made for it and on the real templates.
#include "codegen/amalgamate.hpp"

#include <fstream>
#include <iterator>
#include <map>

#include "codegen/templates.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

const std::map<std::string, std::string, std::less<>> files = {
    {"a", "// SPDX-License-Identifier: MIT\n// A.\n#pragma once\n\nint a();\n"},
    {"b", "// B.\n#pragma once\n\n#include \"a\"\n\nint b();  // kept\n"},
    {"root", "// Root.\n#include \"b\"\n#include \"a\"\n\nint root();\n\n\n\nint end();"},
    {"system", "#include <cstdint>\nint system();\n"},
    {"broken", "#include \"a\nint broken();\n"}};

std::string_view read(std::string_view path) {
  const auto found = files.find(path);
  if (found == files.end()) throw Error(ErrorCode::internal, "no such file", std::string(path));
  return found->second;
}

TEST(Amalgamate, InlinesEachFileOnceBeforeWhoIncludesIt) {
  const std::string text = amalgamate({"root"}, read);
  EXPECT_EQ(count(text, "int a();"), 1);
  EXPECT_LT(text.find("int a();"), text.find("int b();"));
  EXPECT_LT(text.find("int b();"), text.find("int root();"));
  EXPECT_FALSE(holds(text, "#include"));
  EXPECT_FALSE(holds(text, "#pragma once"));
  EXPECT_FALSE(holds(text, "SPDX"));
}

TEST(Amalgamate, KeepsCommentsAndOneBlankLine) {
  const std::string text = amalgamate({"root"}, read);
  EXPECT_TRUE(holds(text, "// A.\n\nint a();\n"));
  EXPECT_TRUE(holds(text, "int b();  // kept\n"));
  EXPECT_TRUE(holds(text, "int root();\n\nint end();\n"));
}

TEST(Amalgamate, TakesSeveralRoots) {
  const std::string text = amalgamate({"b", "root", "a"}, read);
  EXPECT_EQ(count(text, "int a();"), 1);
  EXPECT_EQ(count(text, "int root();"), 1);
}

TEST(Amalgamate, LeavesSystemHeadersAlone) { EXPECT_TRUE(holds(amalgamate({"system"}, read), "#include <cstdint>\n")); }

TEST(Amalgamate, RefusesWhatItCannotInline) {
  EXPECT_TRUE(holds(refusal_of([] { amalgamate({"broken"}, read); }), "closing quote"));
  EXPECT_TRUE(holds(refusal_of([] { amalgamate({"absent"}); }), "no such template"));
}

// Whether it is still kept or written anew, and whatever else was asked for in between.
TEST(Amalgamate, GivesEachUserItsOwnTextAgain) {
  const std::vector<std::string_view> types = {"device/types.cuh"}, more = {"device/math.cuh"};
  const std::string first = amalgamate_for("bf16 x;", types), other = amalgamate_for("f16 x;", types);
  EXPECT_TRUE(holds(first, "struct bf16"));
  EXPECT_NE(first, other);
  EXPECT_NE(amalgamate_for("bf16 x;", more), first);
  EXPECT_EQ(amalgamate_for("bf16 x;", types), first);
  for (int i = 0; i < 40; ++i) amalgamate_for("int x" + std::to_string(i) + ";", types);
  EXPECT_EQ(amalgamate_for("bf16 x;", types), first);
  EXPECT_EQ(amalgamate_for("f16 x;", types), other);
}

TEST(Templates, TravelByteForByte) {
  ASSERT_GE(template_files().size(), 10u);
  for (const TemplateFile& file : template_files()) {
    std::ifstream stream(std::string(RANKONE_SOURCE_DIR "/templates/") + std::string(file.path), std::ios::binary);
    ASSERT_TRUE(stream) << file.path;
    const std::string original(std::istreambuf_iterator<char>(stream), {});
    EXPECT_EQ(file.text, original) << file.path;
    EXPECT_EQ(template_text(file.path), original);
  }
}

}  // namespace
}  // namespace rankone
