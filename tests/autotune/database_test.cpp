// SPDX-License-Identifier: MIT
// The database of tuned schedules: merged by many, looked up from near to far, never trusted blindly.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "autotune/database.hpp"
#include "autotune/lookup.hpp"
#include "codegen/knob_text.hpp"
#include "proof/dims.hpp"
#include "runtime/cache/file.hpp"

namespace rankone {
namespace {

class Database : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "rankone-tuned-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::optional<TunedChoice> look(const TunedKey& key, const std::string& device = "GPU A",
                                  const std::string& arch = "sm_90a") const {
    return lookup_tuned({folder / "user", folder / "shipped"}, device, arch, key, [](const Schedule&) { return true; });
  }
  std::filesystem::path folder;
};

const CompileOptions options{.key_dim = 128, .value_dim = 128};

TunedEntry entry_for(const Dims& dims, int chunk, const char* variant = "gla") {
  TunedEntry entry;
  entry.key = tuned_key(*find_variant(variant), options, expected_shape(dims));
  entry.schedule.chunk = chunk;
  entry.median_ms = 0.5;
  entry.variant = variant;
  entry.shape = to_string(dims);
  entry.version = "0.1.0";
  entry.measured = {{entry.schedule, 0.5}, {Schedule{}, 0.7}};
  return entry;
}

const Dims large{.batch = 8, .tokens = 4096, .heads = 16, .value_heads = 16, .key_dim = 128, .value_dim = 128};
const Dims small{.batch = 1, .tokens = 512, .heads = 4, .value_heads = 4, .key_dim = 128, .value_dim = 128};

TEST_F(Database, FilesReadBack) {
  const TunedFile file{"GPU A", "sm_90a", {entry_for(large, 32), entry_for(small, 128, "mamba2")}};
  const TunedFile read = parse_tuned(tuned_text(file), "f");
  EXPECT_EQ(read.device, "GPU A");
  ASSERT_EQ(read.entries.size(), 2u);
  EXPECT_EQ(read.entries[0].key, file.entries[0].key);
  EXPECT_EQ(read.entries[1].schedule, file.entries[1].schedule);
  EXPECT_EQ(read.entries[1].measured.size(), 2u);
  EXPECT_EQ(tuned_text(read), tuned_text(file));
}

TEST_F(Database, TheFirstSchemaStillServes) {
  std::filesystem::create_directories(folder / "user");
  std::ofstream(folder / "user" / "gpu-a.json") << R"({"schema": 1, "device": "GPU A", "arch": "sm_90a", "entries": [{
    "variant": "gla", "structure": "decay=per_key map=no key=k write=no inputs=HV.K parameters=", "types": "bf16 bf16 tf32",
    "key_dim": 128, "value_dim": 128, "tokens_bucket": 12, "rows_bucket": 7, "shape": "B=8,T=4096", "version": "0.1.0",
    "schedule": {"family": "hopper", "level": "serial", "chunk": 32, "value_tile": 64, "warps": 12, "stages": 4},
    "median_ms": 0.5, "default_ms": 0.6, "relative_error": 0.002, "measured": []}]})";
  const TunedKey key = tuned_key(*find_variant("gla"), options, expected_shape(large));
  const auto choice = look(key);
  ASSERT_TRUE(choice);
  EXPECT_EQ(to_string(choice->schedule), "hopper/serial chunk=32 value_tile=64 stages=4");
  EXPECT_FALSE(look(tuned_key(*find_variant("gla"), options, expected_shape(large), Pass::states)))
      << "what is fast for one pass says nothing of another";
  store_tuned(folder / "user", "GPU A", "sm_90a", entry_for(large, 16));
  EXPECT_EQ(look(key)->schedule.chunk, 16) << "its entry is replaced";
}

TEST_F(Database, WhatShipsComesLast) {
  const std::string text = tuned_text({"GPU A", "sm_90a", {entry_for(large, 32)}});
  const TunedKey key = tuned_key(*find_variant("gla"), options, expected_shape(large));
  const auto any = [](const Schedule&) { return true; };
  const auto choice = lookup_tuned({folder / "user"}, "GPU A", "sm_90a", key, any, {{"gpu-a.json", text}});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->schedule.chunk, 32);
  store_tuned(folder / "user", "GPU A", "sm_90a", entry_for(large, 16));
  EXPECT_EQ(lookup_tuned({folder / "user"}, "GPU A", "sm_90a", key, any, {{"gpu-a.json", text}})->schedule.chunk, 16);
}

// Each file that ships reads as what it is called.
TEST_F(Database, WhatShipsReads) {
  ASSERT_FALSE(shipped_files().empty());
  for (const ShippedFile& shipped : shipped_files())
    EXPECT_EQ(tuned_file_name(parse_tuned(shipped.text, "shipped").device), shipped.name);
}

TEST_F(Database, FileNamesArePlain) {
  EXPECT_EQ(tuned_file_name("NVIDIA H200"), "nvidia-h200.json");
  EXPECT_EQ(tuned_file_name("NVIDIA H100 80GB HBM3"), "nvidia-h100-80gb-hbm3.json");
  EXPECT_EQ(tuned_file_name("../../etc (x)"), "etc-x.json");
}

TEST_F(Database, KeysTellKernelsApartButNotFormulas) {
  const auto key = [&](const char* name, const CompileOptions& given = options) {
    return tuned_key(*find_variant(name), given, expected_shape(large));
  };
  EXPECT_EQ(key("gla"), key("gla_sigmoid")) << "the same kernel but for a formula";
  EXPECT_NE(key("gla"), key("hgrn2"));
  EXPECT_NE(key("gla"), key("simple_gla"));
  EXPECT_NE(key("linear"), key("retnet"));
  EXPECT_NE(key("gla"), key("gla", {.key_dim = 64, .value_dim = 128}));
  EXPECT_NE(key("gla"), key("gla", {.key_dim = 128, .value_dim = 128, .dtype = dtype::f16}));
  EXPECT_NE(key("linear_transformer"), key("lite_la"));
  EXPECT_NE(key("gla"), key("gla", {.key_dim = 128, .value_dim = 128, .input_types = {{"g", dtype::f32}}}));
}

// A tensor that both passes read has its gradient summed up over both, and either pass may have the more of them.
TEST_F(Database, KeysOfChainsSayWhichPassReadsATensor) {
  const auto key = [&](const Variant& variant) { return tuned_key(variant, options, expected_shape(large)); };
  const auto chain = [&](const char* value, const char* own, const char* next, const char* query) {
    return variant("chain")
        .value(input(Name(value)))
        .write_scale(input(Name(own)))
        .then(
            second_pass().key(input(Name(value))).write_scale(input(Name(next))).query(passed() + input(Name(query))));
  };
  const TunedKey apart = key(chain("s", "x", "y", "t")), shared = key(chain("s", "x", "x", "t"));
  EXPECT_NE(apart, shared);
  EXPECT_EQ(apart, key(chain("a", "b", "c", "d"))) << "whatever they are called";
  EXPECT_NE(apart.structure.find("inputs=HV.M@both,HV@first,HV.M@second,HV@second"), std::string::npos)
      << apart.structure;
  // As many of each kind, but read by the other pass.
  const auto of = [](const Variant& first, const Variant& second) {
    return first.value(1).then(second.key(1).query(passed()));
  };
  EXPECT_NE(key(of(variant("a").write_scale(input("x")).decay(per_head(input("g"))),
                   second_pass().write_scale(input("g")).decay(per_head(input("y"))))),
            key(of(variant("a").write_scale(input("g")).decay(per_head(input("g"))),
                   second_pass().write_scale(input("y")).decay(per_head(input("x"))))));
}

// A query that is not made of q takes no q in.
TEST_F(Database, KeysSayWhereThereIsNoQ) {
  const auto key = [&](const Variant& variant) { return tuned_key(variant, options, expected_shape(large)); };
  const TunedKey with = key(variant("with").query(query() * input("x"))), none = key(variant("none").query(input("x")));
  EXPECT_NE(with, none);
  EXPECT_NE(none.structure.find("q=no "), std::string::npos) << none.structure;
  EXPECT_EQ(with.structure.find("q=no"), std::string::npos) << with.structure;
}

TEST_F(Database, LookupGoesFromNearToFar) {
  const TunedKey wanted = tuned_key(*find_variant("gla"), options, expected_shape(large));
  EXPECT_FALSE(look(wanted));
  store_tuned(folder / "user", "GPU B", "sm_90a", entry_for(large, 16));
  EXPECT_EQ(look(wanted)->schedule.chunk, 16);
  EXPECT_EQ(look(wanted)->origin, "tuned on GPU B for " + to_string(large));
  store_tuned(folder / "user", "GPU A", "sm_90a", entry_for(small, 32));
  EXPECT_EQ(look(wanted)->schedule.chunk, 32) << "the same GPU before the same shape";
  EXPECT_EQ(look(wanted)->origin, "tuned for the nearest shape, " + to_string(small));
  store_tuned(folder / "shipped", "GPU A", "sm_90a", entry_for(large, 64));
  EXPECT_EQ(look(wanted)->schedule.chunk, 64);
  EXPECT_EQ(look(wanted)->origin, tuned_exactly);
  store_tuned(folder / "user", "GPU A", "sm_90a", entry_for(large, 128));
  EXPECT_EQ(look(wanted)->schedule.chunk, 128) << "the user's own lies over what ships";
  EXPECT_FALSE(look(wanted, "GPU C", "sm_80")) << "never another architecture";
  EXPECT_FALSE(look(tuned_key(*find_variant("linear"), options, expected_shape(large))));
}

TEST_F(Database, OnlyLegalSchedulesAreReturned) {
  store_tuned(folder / "user", "GPU A", "sm_90a", entry_for(large, 128));
  store_tuned(folder / "user", "GPU A", "sm_90a", entry_for(small, 32));
  const auto choice = lookup_tuned({folder / "user"}, "GPU A", "sm_90a",
                                   tuned_key(*find_variant("gla"), options, expected_shape(large)),
                                   [](const Schedule& each) { return each.chunk < 128; });
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->schedule.chunk, 32);
}

TEST_F(Database, TheSameKeyIsReplacedOthersStay) {
  store_tuned(folder, "GPU A", "sm_90a", entry_for(large, 32));
  store_tuned(folder, "GPU A", "sm_90a", entry_for(small, 32));
  store_tuned(folder, "GPU A", "sm_90a", entry_for(large, 64));
  const TunedFile file = parse_tuned(*read_file(folder / "gpu-a.json"), "f");
  ASSERT_EQ(file.entries.size(), 2u);
  EXPECT_EQ(file.entries[0].schedule.chunk, 64);
}

TEST_F(Database, ManyProcessesAndThreadsLoseNothing) {
  constexpr int processes = 4, threads = 2, entries = 5;
  const auto store_some = [&](int writer) {
    for (int i = 0; i < entries; ++i) {
      TunedEntry entry = entry_for(large, 32);
      entry.key.tokens_bucket = 100 * writer + i;
      store_tuned(folder, "GPU A", "sm_90a", entry);
    }
  };
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    const pid_t child = fork();
    if (child == 0) {
      std::vector<std::thread> workers;
      for (int t = 0; t < threads; ++t) workers.emplace_back(store_some, p * threads + t);
      for (std::thread& each : workers) each.join();
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(parse_tuned(*read_file(folder / "gpu-a.json"), "f").entries.size(),
            static_cast<std::size_t>(processes * threads * entries));
  for (const auto& each : std::filesystem::directory_iterator(folder)) EXPECT_EQ(each.path().filename(), "gpu-a.json");
}

TEST_F(Database, BrokenFilesAreSkippedByLookupAndKeptByStore) {
  store_tuned(folder / "user", "GPU B", "sm_90a", entry_for(large, 16));
  const std::string whole = *read_file(folder / "user" / "gpu-b.json");
  for (const std::string& broken :
       {std::string(), std::string("{"), std::string("[]"), whole.substr(0, whole.size() / 2),
        std::string(R"({"schema":3,"device":"GPU A","arch":"sm_90a","entries":[]})"),
        std::string(R"({"schema":1,"device":"GPU A","arch":"sm_90a","entries":[{}]})")}) {
    std::ofstream(folder / "user" / "gpu-a.json") << broken;
    const auto choice = look(tuned_key(*find_variant("gla"), options, expected_shape(large)));
    ASSERT_TRUE(choice) << "the other file still serves";
    EXPECT_EQ(choice->schedule.chunk, 16);
    for (const auto& attempt :
         {std::function([&] { store_tuned(folder / "user", "GPU A", "sm_90a", entry_for(large, 32)); }),
          std::function([&] { require_tuned_folder(folder / "user", "GPU A"); })}) {
      try {
        attempt();
        ADD_FAILURE() << "accepted: " << broken;
      } catch (const Error& error) {
        EXPECT_EQ(error.where(), (folder / "user" / "gpu-a.json").string());
      }
    }
    EXPECT_EQ(*read_file(folder / "user" / "gpu-a.json"), broken) << "left as it was";
  }
}

TEST_F(Database, AFolderThatCannotBeMadeIsRefused) {
  EXPECT_THROW(require_tuned_folder("/proc/nowhere/tuned", "GPU A"), Error);
  std::ofstream(folder / "file") << "x";
  EXPECT_THROW(require_tuned_folder(folder / "file" / "tuned", "GPU A"), Error);
}

// A pass finds what was tuned for it, where it is legal there: a forward pass has wider tiles than states kept going back.
TEST_F(Database, EachPassHasItsOwn) {
  setenv("RANKONE_DATA_DIR", folder.c_str(), 1);
  const Variant& kda = *find_variant("kda");
  const Shape rows{.batch = 128, .tokens = 1, .heads = 16};
  const auto store = [&](Pass pass, int tile, int warps) {
    TunedEntry entry;
    entry.key = tuned_key(kda, options, rows, pass);
    entry.schedule = {.family = Family::recurrent, .value_tile = tile, .warps = warps};
    entry.variant = "kda";
    entry.shape = "B=128,T=1,H=16";
    store_tuned(*tuned_user_folder(), "GPU A", "sm_90a", entry);
  };
  const auto tile = [&](Pass pass) {
    const auto choice = tuned_choice(kda, options, "GPU A", "sm_90a", rows, pass);
    return choice ? choice->schedule.value_tile : 0;
  };
  store(Pass::decode, 16, 2);
  EXPECT_EQ(tile(Pass::decode), 16);
  EXPECT_EQ(tile(Pass::forward), 0);
  EXPECT_EQ(tile(Pass::backward), 0);
  store(Pass::backward, 128, 4);
  EXPECT_EQ(tile(Pass::backward), 0) << "no place for its states";
  store(Pass::backward, 8, 2);
  EXPECT_EQ(tile(Pass::backward), 8);
  EXPECT_EQ(tile(Pass::decode), 16);
  CompileOptions pinned = options;
  pinned.pins = {.family = Family::recurrent, .value_tile = 32};
  EXPECT_FALSE(tuned_choice(kda, pinned, "GPU A", "sm_90a", rows, Pass::decode)) << "a pin wins";
  unsetenv("RANKONE_DATA_DIR");
}

TEST_F(Database, TheUsersFolderFollowsTheEnvironment) {
  setenv("RANKONE_DATA_DIR", folder.c_str(), 1);
  ASSERT_TRUE(tuned_user_folder());
  EXPECT_EQ(*tuned_user_folder(), folder / "tuned");
  store_tuned(*tuned_user_folder(), "GPU A", "sm_90a", entry_for(large, 32));
  const auto choice = tuned_choice(*find_variant("gla_sigmoid"), options, "GPU A", "sm_90a", expected_shape(large));
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->schedule.chunk, 32);
  CompileOptions pinned = options;
  pinned.pins.chunk = 64;
  EXPECT_FALSE(tuned_choice(*find_variant("gla_sigmoid"), pinned, "GPU A", "sm_90a", expected_shape(large)))
      << "a pin wins";
  EXPECT_FALSE(tuned_choice(*find_variant("gla_sigmoid"), options, "cpu", "sm_90a", expected_shape(large)));
  unsetenv("RANKONE_DATA_DIR");
}

}  // namespace
}  // namespace rankone
