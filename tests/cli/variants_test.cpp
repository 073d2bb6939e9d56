// SPDX-License-Identifier: MIT
// Wrong variants in JSON: each is refused by one line of bounded length that has all four parts.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "process.hpp"

namespace rankone::test {
namespace {

struct Wrong {
  std::string text;
  const char *given, *accepted, *where;
};

std::string decay(const std::string& kind, const std::string& formula) {
  return R"json({"name":"a","decay":{"kind":")json" + kind + R"json(","log_decay":")json" + formula + "\"}}";
}

TEST(Variants, AreRefusedWithAllParts) {
  const std::vector<Wrong> all = {
      {R"json({"name":""})json", "''", "my_gla", ".name"},
      {R"json({"name":"9a"})json", "'9a'", "my_gla", ".name"},
      {R"json({"name":"é"})json", "'é'", "my_gla", ".name"},
      {R"json({"name":"../../x"})json", "'../../x'", "my_gla", ".name"},
      {R"json({"name":"a\u0000b"})json", R"json('a\x00b')json", "letters", ".name"},
      {R"json({"name":"a\nb"})json", R"json('a\nb')json", "my_gla", ".name"},
      {R"json({"name":"a","key":"element()"})json", "'element()' in 'element()'", "inputs", ".key"},
      {R"json({"name":"a","key":"decay()"})json", "'decay()' in 'decay()'", "per_key", ".key"},
      {R"json({"name":"a","write_scale":"key()"})json", "'key()' in 'key()'", "inputs", ".write_scale"},
      {R"json({"name":"a","write_scale":"input(w, K)"})json", "'w'", "HV", ".write_scale"},
      {R"json({"name":"a","write_scale":"input(w, H|HV)"})json", "'w'", "one of them", ".write_scale"},
      {R"json({"name":"a","write_scale":"input(w, V)"})json", "'w'", "HV", ".write_scale"},
      {R"json({"name":"a","write_scale":"input(q)"})json", "'q'", "another name", ".write_scale"},
      {R"json({"name":"a","write_scale":"input(_w)"})json", "'_w'", "dt_bias", ".write_scale"},
      {R"json({"name":"a","write_scale":"input()"})json", "')'", "a letter, then", ".write_scale"},
      {R"json({"name":"a","write_scale":"input(x) + param(x)"})json", "'x'", "another name", ".write_scale"},
      {R"json({"name":"a","write_scale":"input(x) * 1e39"})json", "1e+39", "3.4e38", ".write_scale"},
      {R"json({"name":"a","write_scale":"exp = input(x); exp"})json", "'exp'", "no function has", ".write_scale"},
      {R"json({"name":"a","write_scale":"input = 2; input"})json", "'input'", "no function has", ".write_scale"},
      {R"json({"name":"a","write_scale":"y = input(x); input(z)"})json", "'y'", "that are read", ".write_scale"},
      {R"json({"name":"a","inputs":["x"]})json", "inputs", "write_scale", "standard input"},
      {R"json({"name":"a","feature_map":"1"})json", "in '1'", "relu(element())", ".feature_map"},
      {R"json({"name":"a","feature_map":"min"})json", "'min'", "silu, relu, ", ".feature_map"},
      {R"json({"name":"a","feature_map":"frob"})json", "'frob'", "silu, relu, ", ".feature_map"},
      {R"json({"name":"a","feature_map":"input(x)"})json", "'x'", "element()", ".feature_map"},
      {R"json({"name":"a","chunk":17})json", "17", "16, 32", ".chunk"},
      {R"json({"name":"a","chunk":-16})json", "-16", "16, 32", ".chunk"},
      {R"json({"name":"a","scale":1e300})json", "1e+300", "3.4e38", ".scale"},
      {R"json({"name":"a","scale":1e-46})json", "1e-46", "1.5e-45", ".scale"},
      {R"json({"name":"a","scale":1e400})json", "1e400", "1.8e308", "standard input"},
      {"{\"name\":\"a\",", "line 1, column", "one JSON object", "standard input"},
      {R"json({"name":"a","level":"block"})json", "'block'", "segment", ".level"},
      {R"json({"name":"a","decay":{"kind":"per_key"}})json", "no formula", "the kind none", ".decay"},
      {decay("none", "0"), "a formula", "another kind", ".decay"},
      {decay("constant", "0.5"), "0.5 in '0.5'", "at most 0", ".decay"},
      {decay("constant", "0/0"), "not a number in '0/0'", "at most 0", ".decay"},
      {decay("constant", "log(-1)"), "not a number", "at most 0", ".decay"},
      {decay("constant", "position()"), "'position'", "scalars", ".decay"},
      {decay("constant", "input(x)"), "'x'", "scalars", ".decay"},
      {decay("per_value", "input(x, HV|K)"), "'x'", "V in per-value formulas", ".decay"},
      {decay("full", "input(x)"), "'x'", "K, V", ".decay"},
      {decay("outer", "input(x)"), "'outer'", "per_value, full", ".decay"},
      {R"json({"name":"a","erase_read":"key()"})json", "no erase", "erase(1)", ".erase_read"},
      {R"json({"name":"a","value_erase_write":"value()"})json", "no value_erase", "value_erase(1)",
       ".value_erase_write"},
      {R"json({"name":"a","erase":"1","value_erase":"1"})json", "both", "erase, or value_erase", ".value_erase"},
      {R"json({"name":"a","value_erase":"1","value_erase_read":"key()"})json", "'key()'", "inputs",
       ".value_erase_read"},
      {R"json({"name":"a","output":"value()"})json", "without read()", "read() * ", ".output"},
      {R"json({"name":"a","read":"sideways"})json", "'sideways'", "inclusive, exclusive", ".read"},
      {R"json({"name":"a","bonus":"param(u)","read":"exclusive"})json", "both", "bonus, or an exclusive read", ".read"},
      {R"json({"name":"a","erase_order":"undecayed"})json", "no erase", "erase(1)", ".erase_order"},
      {R"json({"name":"a","pattern":1})json", "1", "string", ".pattern"},
      {R"json({"name":"a","pattern":"sideways"})json", "'sideways'", "causal, reversed, non_causal, bidirectional",
       ".pattern"},
      {R"json({"name":"a","pattern":"non_causal","erase":"0.5"})json", "an erase", "no erase, or a causal", ".pattern"},
      {R"json({"name":"a","order":"any"})json", "'any'", "natural, permuted", ".order"},
      {decay("per_head", "key()"), "'key()'", "inputs", ".decay"},
      {decay("per_head", R"json(input(x)\u0000)json"), R"json('\x00')json", "an operator", ".decay"},
      {decay("per_head", R"json(input(\nx y))json"), R"json(\n)json", "')'", ".decay"},
      {R"json({"name":")json" + std::string(5000, 'a') + "\"}", "aaa", "at most 31", ".name"},
      {R"json({"name":"a","chunk":"32)json" + std::string(5000, '2') + "\"}", "222", "number", ".chunk"},
  };
  for (const Wrong& each : all) {
    const Finished done = rankone({"show", "-", "--json"}, each.text);
    EXPECT_EQ(done.code, 2) << each.text;
    const auto error = nlohmann::json::parse(done.out).at("error");
    EXPECT_FALSE(error.at("message").get<std::string>().empty()) << error;
    EXPECT_NE(error.at("given").get<std::string>().find(each.given), std::string::npos) << error;
    EXPECT_NE(error.at("accepted").get<std::string>().find(each.accepted), std::string::npos) << error;
    EXPECT_NE(error.at("where").get<std::string>().find(each.where), std::string::npos) << error;
    const std::string sentence = rankone({"show", "-"}, each.text).err;
    EXPECT_EQ(sentence.find('\n'), sentence.size() - 1) << sentence;
    EXPECT_LT(sentence.size(), 1500u) << sentence;
    EXPECT_EQ(sentence.find("json.exception"), std::string::npos) << sentence;
  }
}

// A log-decay of gates within gates, each of which reads the one before it three times.
std::string nested(int depth) {
  std::string text = "t0 = input(x); ";
  for (int i = 1; i <= depth; ++i) {
    const std::string last = "t" + std::to_string(i - 1);
    text += "t" + std::to_string(i) + " = silu(" + last + ") * tanh(" + last + ") + " + last + "; ";
  }
  return decay("per_key", text + "-softplus(t" + std::to_string(depth) + ")");
}

TEST(Variants, AreShownInAsManyWordsAsTheirGraphsHaveNodes) {
  const auto length = [](int depth, const char* option) {
    const Finished done = rankone({"show", "-", option}, nested(depth));
    EXPECT_EQ(done.code, 0) << done.err;
    return done.out.size();
  };
  for (const char* option : {"--quiet", "--json"}) {
    const std::size_t at_4 = length(4, option), at_8 = length(8, option), at_12 = length(12, option);
    EXPECT_LT(at_12 - at_8, 2 * (at_8 - at_4)) << option;
    // The document has the same in LaTeX, too, and the tensors of each pass.
    EXPECT_LT(at_8, option == std::string("--json") ? 20000u : 6000u) << option;
  }
}

TEST(Variants, ShowNamesScalarsAndGradients) {
  const std::string lightning = rankone({"show", "lightning"}).out;
  for (const char* scalar : {"layer ", "layers "})
    EXPECT_NE(lightning.find(std::string("\n") + scalar), std::string::npos) << lightning;
  const std::string hgrn2 = rankone({"show", "hgrn2"}).out;
  for (const char* line : {"\ngradients of the gates\n", "\n  d log_decay / d x = ", "\n    t1 = "})
    EXPECT_NE(hgrn2.find(line), std::string::npos) << hgrn2;
  const auto document = nlohmann::json::parse(rankone({"show", "gla_sigmoid", "--json"}).out);
  EXPECT_FALSE(document.contains("derivatives"));
  EXPECT_EQ(document.at("gradients"), nlohmann::json::parse(R"json([
    {"gate": "log_decay", "input": "x", "gradient": "sigmoid(-x) / 16"}])json"));
}

TEST(Variants, PinsThatDoNotFitNameTheVariantAndTheLevels) {
  const auto refused = [](const std::string& words, const std::string& input = {}) {
    const Finished done = rankone(split(words + " --json"), input);
    EXPECT_EQ(done.code, 2) << words;
    const auto error = nlohmann::json::parse(done.out).at("error");
    for (const char* part : {"message", "given", "accepted", "where"})
      EXPECT_FALSE(error.at(part).get<std::string>().empty()) << words << error;
    return error.at("accepted").get<std::string>();
  };
  const std::string check = "check gla --device cpu --shape T=20 ";
  const auto holds = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(holds(refused(check + "--warps 3"), "warps of"));
  EXPECT_TRUE(holds(refused(check + "--family portable --states segment"), "serial, chunk (portable)"));
  EXPECT_TRUE(holds(refused(check + "--family hopper --states chunk"), "serial, segment (hopper)"));
  EXPECT_TRUE(holds(refused(check + "--family hopper --chunk 48"), "chunk of 32, 64 (hopper)"));
  EXPECT_TRUE(holds(refused(check + "--dtype f32 --states segment"), "level of serial, chunk"));
  EXPECT_TRUE(holds(refused(check + "--family hopper --stages 1"), "2 to 6 (hopper)"));
  EXPECT_TRUE(holds(refused("emit gla --arch sm_86 --shape K=256 --chunk 128"), "chunk of"));
  EXPECT_TRUE(holds(refused("emit - --chunk 32", R"json({"name":"a","chunk":64})json"), "64"));
}

}  // namespace
}  // namespace rankone::test
