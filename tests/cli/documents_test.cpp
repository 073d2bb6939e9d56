// SPDX-License-Identifier: MIT
// The JSON that other programs read: the fields that are promised, one document, nothing else.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>

#include "process.hpp"

namespace rankone::test {
namespace {

using nlohmann::json;

json document(const std::vector<std::string>& words, int code = 0, const std::string& input = {}) {
  const Finished done = rankone(words, input);
  EXPECT_EQ(done.code, code) << done.err;
  return json::parse(done.out);  // throws where anything follows the document
}

TEST(Documents, ListHasEveryVariantAsShowHasIt) {
  const json list = document({"list", "--json"});
  std::vector<std::string> names;
  for (const json& each : list.at("variants")) names.push_back(each.at("name"));
  for (const char* name :
       {"linear", "retnet", "lightning", "gated_retention", "simple_gla", "gla", "gla_sigmoid", "mamba2", "hgrn2"})
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  for (const json& each : list.at("variants")) {
    json show = document({"show", each.at("name"), "--json"});
    for (const char* own : {"schema", "schedule"}) EXPECT_EQ(show.erase(own), 1u) << own;
    EXPECT_EQ(each, show);
  }
}

TEST(Documents, ShowHasTheTensorsOfAVariant) {
  const json show = document({"show", "hgrn2", "--json", "--dtype", "f16"});
  EXPECT_EQ(show.at("name"), "hgrn2");
  EXPECT_FALSE(show.at("recurrence").get<std::string>().empty());
  EXPECT_FALSE(show.at("chunk_form").get<std::string>().empty());
  EXPECT_EQ(show.at("passes"), json({"forward", "states", "combine", "backward", "decode"}));
  bool bound = false;
  for (const json& each : show.at("inputs")) {
    EXPECT_NE(each.at("name"), "k") << "hgrn2 does not read it";
    for (const char* field : {"name", "axes", "dtype", "role"}) EXPECT_TRUE(each.contains(field));
    if (each.at("name") == "q") {
      EXPECT_EQ(each.at("dtype"), "f16");
    }
    if (each.at("name") != "lower_bound") continue;
    bound = true;
    EXPECT_EQ(each.at("axes"), json({"HV", "K"}));
    EXPECT_EQ(each.at("role"), "parameter");
  }
  EXPECT_TRUE(bound);
  const json& guards = show.at("missing_guards");
  ASSERT_EQ(guards.size(), 1u) << "lower_bound may be any number";
  EXPECT_EQ(guards[0].at("gate"), "log_decay");
  EXPECT_TRUE(guards[0].at("guard").get<std::string>().starts_with("log(max("));
}

TEST(Documents, SpecReadsBackFromStandardInput) {
  for (const char* name : {"gla", "mamba2", "hgrn2", "lightning", "linear"}) {
    const json show = document({"show", name, "--json"});
    EXPECT_EQ(document({"show", "-", "--json"}, 0, show.at("spec").dump()), show);
    EXPECT_EQ(document({"show", "-", "--json"}, 0, show.dump()), show) << "the whole document serves, too";
  }
}

TEST(Documents, CheckHasTheErrorOfEachTensor) {
  const json check = document(
      {"check", "gla", "--device", "cpu", "--shape", "T=20,H=1,HV=2,K=16,V=16", "--seed", "7", "--packed", "--json"});
  EXPECT_EQ(check.at("ok"), true);
  EXPECT_EQ(check.at("seed"), 7);
  ASSERT_EQ(check.at("passes").size(), 1u);
  const json& pass = check.at("passes")[0];
  EXPECT_EQ(pass.at("pass"), "forward");
  ASSERT_EQ(pass.at("tensors").size(), 2u);
  for (const json& each : pass.at("tensors")) {
    EXPECT_GT(each.at("relative_error"), 0);
    EXPECT_LE(each.at("relative_error"), each.at("bound"));
    EXPECT_GE(each.at("bound"), 2.4e-3);
    EXPECT_TRUE(each.at("inputs") == "random" || each.at("inputs") == "equal" || each.at("inputs") == "strong");
  }
}

TEST(Documents, OtherSeedsGiveOtherInputs) {
  const auto error = [](const char* seed) {
    return document({"check", "gla", "--device", "cpu", "--shape", "T=20,H=1,K=16,V=16", "--seed", seed, "--json"})
        .at("passes")[0]
        .at("tensors")[0]
        .at("relative_error")
        .get<double>();
  };
  EXPECT_EQ(error("3"), error("3"));
  EXPECT_NE(error("3"), error("4"));
}

TEST(Documents, BenchHasARowForEachVariantAndShape) {
  const json bench = document({"bench", "gla", "linear", "--device", "cpu", "--shape", "T=16,H=1,K=16,V=16", "--shape",
                               "T=32,H=1,K=16,V=16", "--repeats", "1", "--json"});
  EXPECT_EQ(bench.at("device"), "cpu");
  EXPECT_GT(bench.at("copy_GBps"), 0);
  ASSERT_EQ(bench.at("rows").size(), 4u);
  const json& row = bench.at("rows")[0];
  EXPECT_EQ(row.at("variant"), "gla");
  EXPECT_EQ(row.at("pass"), "forward");
  EXPECT_EQ(row.at("shape"), json({{"B", 1}, {"T", 16}, {"H", 1}, {"HV", 1}, {"K", 16}, {"V", 16}}));
  EXPECT_EQ(row.at("bytes"), 5 * 16 * 16 * 2) << "q, k, v, g and o";
  EXPECT_GT(row.at("median_ms"), 0);
  EXPECT_NEAR(row.at("floor_fraction").get<double>() * row.at("median_ms").get<double>(), row.at("floor_ms"), 1e-9);
  EXPECT_EQ(row.at("schedule").at("family"), "portable");
  EXPECT_EQ(row.at("schedule").at("origin"), "default");
}

TEST(Documents, CompileReportsEachKernel) {
  const Finished done = rankone({"compile", "linear", "--arch", "sm_80", "--shape", "K=16,V=16", "--json"});
  const json compiled = json::parse(done.out);
  if (compiled.contains("error")) GTEST_SKIP() << "no NVRTC here: " << compiled.at("error").at("message");
  ASSERT_EQ(done.code, 0);
  ASSERT_FALSE(compiled.at("kernels").empty());
  for (const json& each : compiled.at("kernels")) {
    EXPECT_EQ(each.at("arch"), "sm_80");
    EXPECT_GT(each.at("registers"), 0);
    EXPECT_EQ(each.at("spill_bytes"), 0);
    for (const char* field : {"name", "pass", "shared_bytes", "compile_ms", "cached"})
      EXPECT_TRUE(each.contains(field)) << field;
  }
}

TEST(Documents, DoctorAndCacheAreWholeDocuments) {
  const json doctor = document({"doctor", "--json"});
  EXPECT_TRUE(doctor.at("nvrtc").contains("found"));
  EXPECT_FALSE(doctor.at("settings").empty());
  EXPECT_TRUE(document({"cache", "--json"}).contains("user"));
  EXPECT_TRUE(document({"cache", "list", "--json"}).at("entries").is_array());
}

TEST(Documents, HaveASchemaInFront) {
  for (const char* line : {"list", "show gla", "emit gla", "check gla --device cpu --shape T=20,H=1,K=16,V=16", "cache",
                           "doctor", "no_such_command", "--help", "--version"}) {
    const Finished done = rankone(split(std::string(line) + " --json"));
    EXPECT_EQ(json::parse(done.out).at("schema"), 1) << line;
    EXPECT_EQ(done.out.rfind("{\n  \"schema\": 1,", 0), 0u) << done.out.substr(0, 60);
  }
}

TEST(Documents, SchedulesAreObjectsThatPinsReach) {
  const json show = document(split("show gla --device cpu --chunk 32 --no-prepared --json"));
  EXPECT_EQ(show.at("schedule").at("chunk"), 32);
  EXPECT_EQ(show.at("schedule").at("prepared"), false);
  EXPECT_EQ(show.at("schedule").at("origin"), "pinned");
  EXPECT_EQ(document(split("show gla --shape K=64,V=64 --dtype f32 --prepared --json"), 2).at("error").at("where"),
            "--prepared");
  const json check = document(split("check gla --device cpu --shape T=20,H=1,K=16,V=16 --json"));
  EXPECT_EQ(check.at("shape").at("K"), 16);
  EXPECT_EQ(check.at("schedule").at("family"), "portable");
}

TEST(Documents, TellThePassAndItsOwnSchedule) {
  const auto schedule = [](const std::string& pass) {
    const json emit = document(split("emit gla --arch sm_90a --shape B=8,H=16,K=256 --json --pass " + pass));
    EXPECT_EQ(emit.at("pass"), pass);
    return emit.at("schedule");
  };
  EXPECT_NE(schedule("states").at("value_tile"), schedule("forward").at("value_tile"));
  const std::string source =
      document(split("emit gla --arch sm_90a --shape B=8,H=16,K=256 --json --pass states")).at("source");
  EXPECT_NE(source.find("// schedule  hopper/serial"), std::string::npos);
  EXPECT_NE(source.find("value_tile=" + schedule("states").at("value_tile").dump()), std::string::npos);
}

TEST(Documents, EverySettingIsOnItsPage) {
  std::ifstream file(RANKONE_SOURCE_DIR "/docs/environment.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  const json doctor = document({"doctor", "--json"});
  ASSERT_GE(doctor.at("settings").size(), 7u);
  for (const json& each : doctor.at("settings"))
    EXPECT_NE(page.find("| `" + each.at("name").get<std::string>() + "` |"), std::string::npos) << each;
}

TEST(Documents, RefusalsAreDocumentsToo) {
  const json refused = document({"check", "no_such_variant", "--json"}, 2);
  const json& error = refused.at("error");
  for (const char* field : {"message", "given", "accepted", "where"})
    EXPECT_FALSE(error.at(field).get<std::string>().empty()) << field;
  EXPECT_NE(error.at("accepted").get<std::string>().find("gla_sigmoid"), std::string::npos);
  EXPECT_TRUE(document({"run", "gla", "--in", "-", "--out", "-", "--json"}, 2).contains("error"))
      << "not on the same stream";
  EXPECT_TRUE(document({"--json", "no_such_command"}, 2).contains("error"));
  EXPECT_TRUE(document({"check", "gla", "--json", "--no-such-option"}, 2).contains("error"));
}

}  // namespace
}  // namespace rankone::test
