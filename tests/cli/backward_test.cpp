// SPDX-License-Identifier: MIT
// --pass backward of each command that has it.
#include <gtest/gtest.h>

#include <deque>

#include <nlohmann/json.hpp>

#include <rankone/safetensors.hpp>
#include "folder.hpp"
#include "process.hpp"
#include "proof/problem.hpp"
#include "runtime/convert.hpp"

namespace rankone::test {
namespace {

using nlohmann::json;
using Names = std::vector<std::string>;

Names names_of(const json& tensors) {
  Names names;
  for (const json& each : tensors) names.push_back(each.at("name"));
  return names;
}

TEST(Backward, IsCheckedAgainstTheOracle) {
  const Finished done =
      rankone(split("check mamba2 --pass backward --device cpu --shape B=1,T=20,K=16,V=16 --seed 3 --json"));
  ASSERT_EQ(done.code, 0) << done.err;
  const json document = json::parse(done.out), pass = document.at("passes")[0];
  EXPECT_EQ(pass.at("pass"), "backward");
  EXPECT_EQ(document.at("schedule").at("family"), "portable");
  EXPECT_EQ(names_of(pass.at("tensors")), (Names{"dq", "dk", "dv", "dinitial_state", "ddt", "dA_log", "ddt_bias"}));
}

TEST(Backward, IsShownAndEmitted) {
  const json document = json::parse(rankone(split("show gla --pass backward --json")).out);
  EXPECT_EQ(names_of(document.at("inputs")), (Names{"q", "k", "v", "do", "g", "cu_seqlens", "initial_state",
                                                    "dfinal_state", "dq", "dk", "dv", "dinitial_state", "dg"}));
  for (const json& each : document.at("inputs"))
    if (each.at("name") == "dg") {
      EXPECT_EQ(each.at("role"), "gradient");
    }
  const Finished emitted = rankone(split("emit gla --pass backward --json"));
  ASSERT_EQ(emitted.code, 0) << emitted.err;
  EXPECT_EQ(json::parse(emitted.out).at("pass"), "backward");
}

// Why a variant's backward pass is not in chunks where forward is.
TEST(Backward, SaysWhyItGoesTokenByToken) {
  const std::string why = "no form in chunks for decays of value columns";
  EXPECT_NE(rankone({"show", "dfw"}).out.find(why), std::string::npos);
  const Finished large = rankone(split("show hgrn2 --dtype f32 --shape K=256,V=64 --arch sm_86"));
  EXPECT_NE(large.out.find("token by token: no schedule of the backward pass in chunks fits"), std::string::npos);
  EXPECT_EQ(rankone({"show", "gla"}).out.find("token by token:"), std::string::npos);
  const json families = json::parse(rankone({"show", "dfw", "--json"}).out).at("families");
  for (const json& each : families) EXPECT_EQ(each.contains("why_by_token"), each.at("pass") == "backward") << each;
}

// Two tokens of linear, every size 1; `slope` is what the loss gains by o.
std::string two_tokens(const char* slope) {
  std::deque<HostTensor> all;
  std::vector<SafetensorsTensor> tensors;
  const auto add = [&](const char* name, double first, double second) {
    HostTensor& tensor = all.emplace_back(make_tensor(name, dtype::f32, {1, 2, 1, 1}));
    store(tensor.bytes.data(), dtype::f32, 0, first);
    store(tensor.bytes.data(), dtype::f32, 1, second);
    tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes.data()});
  };
  add("q", 1, 2), add("k", 3, 4), add("v", 5, 6), add(slope, 7, 8);
  return safetensors_bytes(tensors, {});
}

TEST(Backward, RunsOnAFile) {
  const Folder folder;
  const auto run = [&](const char* slope) {
    return rankone({"run", "linear", "--pass", "backward", "--in", folder.write("in", two_tokens(slope)), "--out",
                    folder / "out", "--device", "cpu"});
  };
  const Finished done = run("do");
  ASSERT_EQ(done.code, 0) << done.err;
  const SafetensorsFile written = SafetensorsFile::open(folder / "out");
  const auto values = [&](const char* name) {
    const SafetensorsEntry& entry = *written.find(name);
    std::vector<double> list;
    for (std::int64_t i = 0; i < product(entry.shape); ++i) list.push_back(load(written.data(entry), *entry.type, i));
    return list;
  };
  // The state is 15, then 39; its slope 16 behind the second token, 23 behind the first and before it.
  EXPECT_EQ(values("dq"), (std::vector<double>{7 * 15, 8 * 39}));
  EXPECT_EQ(values("dk"), (std::vector<double>{23 * 5, 16 * 6}));
  EXPECT_EQ(values("dv"), (std::vector<double>{23 * 3, 16 * 4}));
  EXPECT_EQ(values("dinitial_state"), (std::vector<double>{23}));
  EXPECT_EQ(written.entries().size(), 4u);
  const Finished refused = run("slope");
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("a tensor is missing; given q, k, v, slope; accepted: 'do' [B, T, HV, V]"),
            std::string::npos)
      << refused.err;
}

TEST(Backward, IsTimed) {
  const Finished timed = rankone(split("bench gla --pass backward --device cpu --shape T=20,H=1,K=16,V=16 --json -q"));
  ASSERT_EQ(timed.code, 0) << timed.err;
  const json row = json::parse(timed.out).at("rows").at(0);
  EXPECT_EQ(row.at("pass"), "backward");
  EXPECT_EQ(row.at("schedule").at("family"), "portable");
  EXPECT_GT(row.at("median_ms"), 0.0);
}

}  // namespace
}  // namespace rankone::test
