// SPDX-License-Identifier: MIT
// How the catalogue and a variant are shown: tables, LaTeX, what serves each pass, and the page of the documentation.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "process.hpp"

namespace rankone::test {
namespace {

using nlohmann::json;

json document(const std::string& line) {
  const Finished done = rankone(split(line + " --json"));
  EXPECT_EQ(done.code, 0) << done.err;
  return json::parse(done.out);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Shown, TheListIsATableOfAnyWidth) {
  const json variants = document("list").at("variants");
  for (const int width : {60, 80, 200}) {
    const std::string text = rankone({"list"}, {}, {{"COLUMNS", std::to_string(width)}}).out;
    const auto lines = lines_of(text);
    ASSERT_FALSE(lines.empty());
    const std::size_t second = lines[0].find("passes");
    for (const std::string& line : lines) {
      EXPECT_LE(line.size(), static_cast<std::size_t>(width)) << line;
      EXPECT_NE(line.back(), ' ') << line;
    }
    std::string first_column;
    for (const std::string& line : lines) first_column += line.substr(0, line.find(' ')) + ",";
    for (const json& each : variants)
      EXPECT_NE(first_column.find("," + each.at("name").get<std::string>() + ","), std::string::npos) << text;
    // Without wrapping a variant is one line, and its columns stand below their headings.
    if (width < 200) continue;
    EXPECT_EQ(lines.size(), variants.size() + 1);
    for (const std::string& line : lines) EXPECT_TRUE(line[second - 1] == ' ' && line[second] != ' ') << line;
  }
}

TEST(Shown, EachPassHasAFamilyOnEachArchitecture) {
  const json gla = document("show gla");
  const auto family = [](const json& shown, const char* pass, const char* arch) -> json {
    for (const json& each : shown.at("families"))
      if (each.at("pass") == pass && each.at("arch") == arch) return each.at("family");
    return "missing";
  };
  EXPECT_EQ(family(gla, "forward", "sm_90a"), "hopper");
  EXPECT_EQ(family(gla, "forward", "sm_80"), "portable");
  EXPECT_EQ(family(gla, "states", "sm_90a"), "hopper");
  EXPECT_EQ(family(gla, "combine", "sm_90a"), "portable");
  EXPECT_EQ(gla.at("families").size(), 2 * gla.at("passes").size());
  EXPECT_EQ(family(document("show gla --dtype f32"), "forward", "sm_90a"), "portable");
  const json one = document("show gla --arch sm_86").at("families");
  for (const json& each : one) EXPECT_EQ(each.at("arch"), "sm_86");
  const json pinned = document("show gla --device cpu --family hopper");
  EXPECT_EQ(family(pinned, "forward", "sm_80"), nullptr);
  for (const json& each : pinned.at("families"))
    EXPECT_EQ(each.contains("reason"), each.at("family").is_null()) << each;
  EXPECT_EQ(rankone(split("show gla --arch sm_1")).code, 2);
  EXPECT_EQ(rankone(split("list --arch sm_1")).code, 2);
}

TEST(Shown, WhatHasNoChunksSaysWhy) {
  EXPECT_TRUE(document("show gla").at("chunk_form").get<std::string>().starts_with("two levels: "));
  const json mamba1 = document("show mamba1");
  EXPECT_TRUE(mamba1.at("chunk_form").get<std::string>().starts_with("none: ")) << mamba1.at("chunk_form");
  EXPECT_NE(mamba1.at("chunk_form").get<std::string>().find("decays of single elements"), std::string::npos);
  json named = mamba1.at("passes");
  for (const json& each : mamba1.at("missing_passes")) {
    EXPECT_FALSE(each.at("reason").get<std::string>().empty());
    named.push_back(each.at("pass"));
  }
  // Together with those that gla has, in whatever order.
  const json all = document("show gla");
  EXPECT_EQ(named.size(), all.at("passes").size() + all.at("missing_passes").size());
  const std::string dfw = document("show dfw").at("chunk_form");
  EXPECT_TRUE(dfw.ends_with("; values decay likewise, or from token to token")) << dfw;
  const std::string rwkv6 = document("show rwkv6").at("chunk_form");
  EXPECT_TRUE(rwkv6.ends_with("; on their diagonal is the bonus")) << rwkv6;
  const std::string edit = document("show edit").at("chunk_form");
  EXPECT_TRUE(edit.ends_with("; in the portable family alone")) << edit;
  const std::string text = rankone({"show", "mamba1"}).out;
  EXPECT_NE(text.find("\nno states: "), std::string::npos) << text;
}

TEST(Shown, TensorsAreThoseOfEachPass) {
  for (const char* name : {"gla", "mamba1"}) {
    const json shown = document(std::string("show ") + name);
    EXPECT_EQ(shown.at("tensors").size(), shown.at("passes").size());
    EXPECT_EQ(shown.at("tensors").at("forward"), shown.at("inputs"));
  }
  const json passes = document("show gla").at("tensors");
  const auto has = [&](const char* pass, const char* tensor) {
    return std::ranges::any_of(passes.at(pass), [&](const json& each) { return each.at("name") == tensor; });
  };
  EXPECT_TRUE(has("forward", "q") && !has("states", "q") && has("states", "k") && !has("combine", "k"));
  EXPECT_EQ(document("show gla --pass states").at("inputs"), passes.at("states"));
  EXPECT_EQ(rankone({"show", "gla", "--pass", "states"}).out.find("\nq "), std::string::npos);
  EXPECT_TRUE(has("combine", "log_decay_total") && !has("forward", "log_decay_total"));
  // In text each tensor names its passes.
  const auto lines = lines_of(rankone({"show", "gla"}, {}, {{"COLUMNS", "200"}}).out);
  const auto stands = [&](const char* tensor, const char* of) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.starts_with(tensor) && line.find(of) != std::string::npos; });
  };
  EXPECT_TRUE(stands("v ", "  forward, states"));
  EXPECT_TRUE(stands("q ", "  forward") && !stands("q ", "states"));
}

TEST(Shown, LatexIsTheMemberOfTheDocument) {
  for (const char* name : {"hgrn2", "delta"}) {
    const Finished done = rankone({"show", name, "--latex"});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_TRUE(done.out.starts_with(std::string("% ") + name + "\n\\begin{align*}\n")) << done.out;
    EXPECT_EQ(document(std::string("show ") + name).at("latex"), done.out);
  }
}

TEST(Shown, EntriesSayWhereTheyComeFrom) {
  EXPECT_EQ(document("show gla").at("source").at("arxiv"), "2312.06635");
  // Another declaration of the same name is not the catalogue's.
  EXPECT_FALSE(json::parse(rankone({"show", "-", "--json"}, R"({"name": "gla"})").out).contains("source"));
}

// After an intended change, or with a pass or a family that is new: RANKONE_UPDATE_GOLDEN=1 cli_shown_test, then read the
// difference.
TEST(Shown, ThePageOfTheDocumentationIsWhatTheCodeGives) {
  const std::string path = RANKONE_SOURCE_DIR "/docs/catalogue.md", page = rankone({"list", "--markdown"}).out;
  if (std::getenv("RANKONE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << page;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  const std::string written(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(page == written) << path << " is not what `rankone list --markdown` prints: write it with "
                               << "RANKONE_UPDATE_GOLDEN=1";
  const json listed = document("list");
  for (const json& each : listed.at("variants"))
    EXPECT_NE(page.find("\n## " + each.at("name").get<std::string>() + "\n"), std::string::npos);
}

TEST(Shown, AFamilyThatIsPinnedServesThePassItselfOrIsRefused) {
  const Finished done = rankone(split("emit gla --family recurrent --pass states --json"));
  EXPECT_EQ(done.code, 2);
  const json error = json::parse(done.out).at("error");
  EXPECT_EQ(error.at("message"), "the recurrent family has no state-only pass");
  EXPECT_EQ(error.at("accepted"), "family=portable, or no family");
  EXPECT_EQ(error.at("where"), "--family");
  EXPECT_EQ(rankone(split("emit gla --family portable --pass states")).code, 0);
  EXPECT_EQ(rankone(split("emit gla --pass states")).code, 0);
}

}  // namespace
}  // namespace rankone::test
