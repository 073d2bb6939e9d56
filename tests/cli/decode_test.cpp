// SPDX-License-Identifier: MIT
// --pass decode of each command that has it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <rankone/safetensors.hpp>
#include "folder.hpp"
#include "process.hpp"
#include "proof/problem.hpp"
#include "runtime/convert.hpp"

namespace rankone::test {
namespace {

using nlohmann::json;

TEST(Decode, IsCheckedAgainstTheRecurrence) {
  const Finished done =
      rankone(split("check delta --pass decode --device cpu --shape B=4,T=3,K=16,V=16 --state-dtype bf16 "
                    "--json"));
  ASSERT_EQ(done.code, 0) << done.err;
  const json document = json::parse(done.out), pass = document.at("passes")[0];
  EXPECT_EQ(pass.at("pass"), "decode");
  EXPECT_EQ(document.at("schedule").at("family"), "recurrent");
  std::vector<std::string> names;
  for (const json& each : pass.at("tensors")) names.push_back(each.at("name"));
  EXPECT_EQ(names, (std::vector<std::string>{"state", "o", "token_states"}));
}

// At a K that its pairs of keys leave room for.
TEST(Decode, OfPairsIsCheckedWithoutAShape) {
  const Finished done = rankone(split("check rebased --pass decode --device cpu"));
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.out.find("K=16,"), std::string::npos) << done.out;
}

TEST(Decode, IsShownAndEmitted) {
  const json document = json::parse(rankone(split("show gla --pass decode --state-dtype f16 --json")).out);
  std::vector<std::string> names;
  for (const json& each : document.at("inputs")) {
    names.push_back(each.at("name"));
    if (each.at("name") == "state") {
      EXPECT_EQ(each.at("axes"), json({"P", "HV", "K", "V"}));
      EXPECT_EQ(each.at("dtype"), "f16");
    }
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"q", "k", "v", "g", "state_read", "state_write", "state", "o", "token_states"}));
  EXPECT_EQ(document.at("schedule").at("value_tile"), 64);
  // Of few rows smaller blocks occupy more of a GPU.
  const json one_row = json::parse(rankone(split("show gla --pass decode --shape B=1,H=16 --json")).out);
  EXPECT_EQ(one_row.at("schedule").at("value_tile"), 32);
  const Finished emitted = rankone(split("emit gla --pass decode --value-tile 16 --json"));
  ASSERT_EQ(emitted.code, 0) << emitted.err;
  EXPECT_EQ(json::parse(emitted.out).at("pass"), "decode");
  EXPECT_EQ(json::parse(emitted.out).at("schedule").at("value_tile"), 16) << "pinned";
}

// Bytes of a row that is read and written in its slot: twice the state, and q, k, v, g and o.
TEST(Decode, IsTimedInPlace) {
  const Finished done = rankone(split("bench gla --pass decode --device cpu --shape B=3,H=1,K=16,V=16 --json -q"));
  ASSERT_EQ(done.code, 0) << done.err;
  const json row = json::parse(done.out).at("rows").at(0);
  EXPECT_EQ(row.at("pass"), "decode");
  EXPECT_EQ(row.at("bytes"), 3 * (2 * 16 * 16 * 4 + 5 * 16 * 2 + 2 * 4));
}

TEST(Decode, TakesFewTokensThatAreNotPacked) {
  for (const char* line :
       {"check gla --pass decode --device cpu --shape T=9", "check gla --pass decode --device cpu --packed"}) {
    const Finished done = rankone(split(line));
    EXPECT_EQ(done.code, 2) << line;
    EXPECT_NE(done.err.find("T from 1 to 8, not packed"), std::string::npos) << done.err;
  }
}

// Two rows of linear, H = 1, K = V = 1: one goes on from slot 2 to slot 0, the other does nothing.
std::string two_rows(std::int32_t first_read) {
  std::vector<SafetensorsTensor> tensors;
  static std::vector<HostTensor> all;
  all.clear();
  const auto add = [&](const char* name, dtype type, std::vector<std::int64_t> shape, std::vector<double> values) {
    all.push_back(make_tensor(name, type, std::move(shape)));
    for (std::size_t i = 0; i < values.size(); ++i)
      store(all.back().bytes.data(), type, static_cast<std::int64_t>(i), values[i]);
  };
  for (const char* name : {"q", "k", "v"}) add(name, dtype::f32, {2, 2, 1, 1}, {1, 2, 3, 4});
  add("state", dtype::bf16, {3, 1, 1, 1}, {10, 20, 30});
  add("state_read", dtype::i32, {2}, {static_cast<double>(first_read), 1});
  add("state_write", dtype::i32, {2}, {0, -1});
  for (const HostTensor& each : all) tensors.push_back({each.name, each.type, each.shape, each.bytes.data()});
  return safetensors_bytes(tensors, {});
}

TEST(Decode, RunsOnAFile) {
  const Folder folder;
  const auto run = [&](std::int32_t first_read) {
    return rankone({"run", "linear", "--pass", "decode", "--in", folder.write("in", two_rows(first_read)), "--out",
                    folder / "out", "--device", "cpu"});
  };
  const Finished done = run(2);
  ASSERT_EQ(done.code, 0) << done.err;
  const SafetensorsFile written = SafetensorsFile::open(folder / "out");
  const auto values = [&](const char* name) {
    const SafetensorsEntry& entry = *written.find(name);
    std::vector<double> list;
    for (std::int64_t i = 0; i < product(entry.shape); ++i) list.push_back(load(written.data(entry), *entry.type, i));
    return list;
  };
  EXPECT_EQ(values("o"), (std::vector<double>{31, 70, 0, 0}));  // 30 + 1, then (31 + 4) 2
  EXPECT_EQ(values("state"), (std::vector<double>{35, 20, 30}));
  EXPECT_EQ(values("token_states"), (std::vector<double>{31, 35, 0, 0}));
  EXPECT_EQ(written.find("state")->type, dtype::bf16);
  const Finished refused = run(3);
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(
      refused.err.find("tensor 'state_read': there is no such slot; given state_read[0] = 3; accepted: 0 to P - 1 = 2"),
      std::string::npos)
      << refused.err;
}

}  // namespace
}  // namespace rankone::test
