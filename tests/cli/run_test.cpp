// SPDX-License-Identifier: MIT
// rankone run: what it computes from a file, and which files it refuses.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include <rankone/safetensors.hpp>
#include "folder.hpp"
#include "process.hpp"
#include "proof/oracle/compare.hpp"
#include "proof/problem.hpp"
#include "runtime/convert.hpp"

namespace rankone::test {
namespace {

HostTensor tensor(const std::string& name, dtype type, const std::vector<std::int64_t>& shape, double value = 0.25) {
  HostTensor made = make_tensor(name, type, shape);
  for (std::int64_t i = 0; i < product(shape); ++i) store(made.bytes.data(), type, i, value * (1 + i % 5));
  return made;
}

// Inputs of simple_gla, B=2, T=5, H=1, HV=2, K=16, V=24.
std::vector<HostTensor> inputs() {
  std::vector<HostTensor> list;
  list.push_back(tensor("q", dtype::f16, {2, 5, 1, 16}));
  list.push_back(tensor("k", dtype::f16, {2, 5, 1, 16}));
  list.push_back(tensor("v", dtype::f16, {2, 5, 2, 24}));
  list.push_back(tensor("g", dtype::f32, {2, 5, 2}, -0.1));
  return list;
}

std::string bytes_of(const std::vector<HostTensor>& list, const Metadata& metadata = {}) {
  std::vector<SafetensorsTensor> tensors;
  for (const HostTensor& each : list) tensors.push_back({each.name, each.type, each.shape, each.bytes.data()});
  return safetensors_bytes(tensors, metadata);
}

HostTensor& named(std::vector<HostTensor>& list, const std::string& name) {
  return *std::find_if(list.begin(), list.end(), [&](const HostTensor& each) { return each.name == name; });
}

Finished run_on(const Folder& folder, const std::string& bytes, const std::string& variant = "simple_gla") {
  return rankone({"run", variant, "--in", folder.write("in", bytes), "--out", folder / "out", "--device", "cpu"});
}

TEST(Run, ComputesTheRecordedActivations) {
  const Folder folder;
  const std::string data = std::string(RANKONE_SOURCE_DIR) + "/examples/data/gla-text-activations.safetensors";
  const Finished done = rankone({"run", "gla_sigmoid", "--in", data, "--out", folder / "o", "--device", "cpu"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.err.find("'o_float64' is ignored"), std::string::npos) << done.err;
  const SafetensorsFile given = SafetensorsFile::open(data), written = SafetensorsFile::open(folder / "o");
  ASSERT_NE(written.find("o"), nullptr);
  ASSERT_NE(written.find("final_state"), nullptr);
  EXPECT_EQ(written.find("o")->type, dtype::bf16);
  EXPECT_EQ(written.find("final_state")->type, dtype::f32);
  EXPECT_EQ(written.find("final_state")->shape, (std::vector<std::int64_t>{1, 2, 32, 64}));
  const auto view = [](const SafetensorsFile& file, const char* name) {
    const SafetensorsEntry* entry = file.find(name);
    return Tensor::view(file.data(*entry), *entry->type, entry->shape);
  };
  const Comparison comparison = compare(view(written, "o"), view(given, "o_float64"), 3.2e-3);
  EXPECT_TRUE(comparison.ok) << comparison.relative_error;
}

TEST(Run, WorksThroughStandardInputAndOutput) {
  const Folder folder;
  const Finished through_files = run_on(folder, bytes_of(inputs()));
  ASSERT_EQ(through_files.code, 0) << through_files.err;
  const Finished streamed =
      rankone({"run", "simple_gla", "--in", "-", "--out", "-", "--device", "cpu", "--quiet"}, bytes_of(inputs()));
  ASSERT_EQ(streamed.code, 0) << streamed.err;
  EXPECT_EQ(streamed.err, "");
  EXPECT_EQ(streamed.out, contents(folder / "out"));
}

TEST(Run, CarriesTheStateAcrossFiles) {
  const Folder folder;
  auto whole = inputs();
  ASSERT_EQ(run_on(folder, bytes_of(whole)).code, 0);
  const std::string expected = contents(folder / "out");
  // The same tokens in two calls: [B, 3, ...], then [B, 2, ...] from the state in between.
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    std::vector<HostTensor> cut;
    for (const HostTensor& each : whole) {
      auto shape = each.shape;
      shape[1] = end - begin;
      HostTensor& made = cut.emplace_back(make_tensor(each.name, each.type, shape));
      const std::size_t row = each.bytes.size() / 10, tokens = static_cast<std::size_t>(end - begin);
      for (std::size_t b = 0; b < 2; ++b)
        std::memcpy(made.bytes.data() + b * tokens * row,
                    each.bytes.data() + (b * 5 + static_cast<std::size_t>(begin)) * row, tokens * row);
    }
    return cut;
  };
  ASSERT_EQ(run_on(folder, bytes_of(part(0, 3))).code, 0);
  const SafetensorsFile first = SafetensorsFile::open(folder / "out");
  auto second = part(3, 5);
  HostTensor& state = second.emplace_back(make_tensor("initial_state", dtype::f32, first.find("final_state")->shape));
  std::memcpy(state.bytes.data(), first.data(*first.find("final_state")), state.bytes.size());
  ASSERT_EQ(run_on(folder, bytes_of(second)).code, 0);
  const SafetensorsFile last = SafetensorsFile::open(folder / "out");
  folder.write("expected", expected);
  const SafetensorsFile once = SafetensorsFile::open(folder / "expected");
  const auto view = [](const SafetensorsFile& file) {
    const SafetensorsEntry* entry = file.find("final_state");
    return Tensor::view(file.data(*entry), dtype::f32, entry->shape);
  };
  EXPECT_TRUE(compare(view(last), view(once), 1e-3).ok);
}

TEST(Run, TakesScaleAndScalarsFromTheMetadata) {
  const Folder folder;
  ASSERT_EQ(run_on(folder, bytes_of(inputs(), {{"scale", "0.5"}, {"note", "kept"}})).code, 0);
  const SafetensorsFile half = SafetensorsFile::open(folder / "out");
  EXPECT_EQ(half.metadata().at("note"), "kept");
  ASSERT_EQ(run_on(folder, bytes_of(inputs(), {{"scale", "1"}})).code, 0);
  const SafetensorsFile one = SafetensorsFile::open(folder / "out");
  for (std::int64_t i = 0; i < 10; ++i)
    EXPECT_EQ(2 * load(half.data(*half.find("o")), dtype::f16, i), load(one.data(*one.find("o")), dtype::f16, i));

  auto constant = inputs();
  constant.pop_back();
  const Finished missing = run_on(folder, bytes_of(constant), "lightning");
  EXPECT_EQ(missing.code, 2);
  EXPECT_NE(missing.err.find("no metadata 'layer'"), std::string::npos) << missing.err;
  EXPECT_EQ(run_on(folder, bytes_of(constant, {{"layer", "1"}, {"layers", "4"}}), "lightning").code, 0);
}

// A declaration of this decay.
std::string declared(const Folder& folder, const std::string& kind, const std::string& log_decay) {
  return folder.write("declared.json", "{\"name\": \"int\", \"decay\": {\"kind\": \"" + kind + "\", \"log_decay\": \"" +
                                           log_decay + "\"}}");
}

// What is written into the metadata takes no scalar's place.
TEST(Run, AScalarMayHaveAnyName) {
  const Folder folder;
  auto constant = inputs();
  constant.pop_back();
  const std::string spec = declared(folder, "constant", "-square(scalar(variant)) - scalar(device)");
  const Finished done = run_on(folder, bytes_of(constant, {{"variant", "0.5"}, {"device", "1"}}), spec);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(SafetensorsFile::open(folder / "out").metadata().at("variant"), "0.5");
}

TEST(Run, RefusesStartsWhereNoTokenCanBe) {
  const Folder folder;
  auto aging = inputs();
  HostTensor& starts = aging.emplace_back(make_tensor("start_positions", dtype::i64, {2}));
  const std::int64_t values[] = {3, -1};
  std::memcpy(starts.bytes.data(), values, sizeof values);
  const Finished done = run_on(folder, bytes_of(aging), declared(folder, "per_head", "input(g) - position()"));
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("start_positions[1] = -1; accepted: 0 to 2^62"), std::string::npos) << done.err;
}

TEST(Run, RefusesDecaysThatGrowByThemselves) {
  const Folder folder;
  auto constant = inputs();
  constant.pop_back();
  const Finished done = run_on(folder, bytes_of(constant), declared(folder, "constant", "head() - 0.5"));
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("a log-decay is above 0; given head() - 0.5 with head() = 1"), std::string::npos) << done.err;
}

TEST(Run, PackedSequencesStartAfresh) {
  const Folder folder;
  std::vector<HostTensor> packed = {tensor("q", dtype::f32, {1, 6, 1, 16}), tensor("k", dtype::f32, {1, 6, 1, 16}),
                                    tensor("v", dtype::f32, {1, 6, 1, 16}), tensor("g", dtype::f32, {1, 6, 1}, -0.1)};
  HostTensor& offsets = packed.emplace_back(make_tensor("cu_seqlens", dtype::i32, {4}));
  const std::int32_t values[] = {0, 0, 4, 6};
  std::memcpy(offsets.bytes.data(), values, sizeof values);
  ASSERT_EQ(run_on(folder, bytes_of(packed)).code, 0);
  const SafetensorsFile written = SafetensorsFile::open(folder / "out");
  EXPECT_EQ(written.find("final_state")->shape, (std::vector<std::int64_t>{3, 1, 16, 16}));
  for (std::int64_t i = 0; i < 256; ++i)
    EXPECT_EQ(load(written.data(*written.find("final_state")), dtype::f32, i), 0) << "an empty sequence";
  // Token 4 is a first one: its output is scale (q . k) v.
  double dot = 0;
  for (std::int64_t i = 0; i < 16; ++i) dot += 0.0625 * (1 + (64 + i) % 5) * (1 + (64 + i) % 5);
  EXPECT_NEAR(load(written.data(*written.find("o")), dtype::f32, 64), dot / 4 * 0.25 * (1 + 64 % 5), 1e-3);
}

struct Broken {
  const char* name;
  std::function<void(std::vector<HostTensor>&)> change;
  const char *given, *accepted;
};

TEST(Run, RefusesTensorsThatDoNotFit) {
  const auto offsets = [](std::vector<std::int64_t> values) {
    return [values](std::vector<HostTensor>& list) {
      for (HostTensor& each : list) {
        each.shape[0] = 1;
        each.bytes.resize(each.bytes.size() / 2);
      }
      HostTensor& made =
          list.emplace_back(make_tensor("cu_seqlens", dtype::i64, {static_cast<std::int64_t>(values.size())}));
      std::memcpy(made.bytes.data(), values.data(), made.bytes.size());
    };
  };
  const auto retype = [](const char* name, dtype type) {
    return [name, type](std::vector<HostTensor>& list) {
      named(list, name) = tensor(name, type, named(list, name).shape);
    };
  };
  const auto reshape = [](const char* name, std::vector<std::int64_t> shape) {
    return [name, shape](std::vector<HostTensor>& list) {
      named(list, name) = tensor(name, named(list, name).type, shape);
    };
  };
  const std::vector<Broken> all = {
      {"missing", [](auto& list) { list.pop_back(); }, "q, k, v", "'g' [B, T, HV]"},
      {"misspelt", [](auto& list) { list.back().name = "G"; }, "G", "'g'"},
      {"other rank", reshape("g", {2, 5, 2, 1}), "[2, 5, 2, 1]", "[B=2, T=5, HV=2]"},
      {"other batch", reshape("g", {1, 5, 2}), "[1, 5, 2]", "[B=2, T=5, HV=2]"},
      {"other tokens", reshape("v", {2, 6, 2, 24}), "[2, 6, 2, 24]", "T=5"},
      {"other key dim", reshape("k", {2, 5, 1, 8}), "[2, 5, 1, 8]", "K=16"},
      {"no tokens",
       [](auto& list) {
         for (HostTensor& each : list) {
           auto shape = each.shape;
           shape[1] = 0;
           each = tensor(each.name, each.type, shape);
         }
       },
       "[2, 0, 1, 16]", "at least 1"},
      {"mixed types", retype("k", dtype::bf16), "BF16", "f16"},
      {"double", retype("q", dtype::f64), "F64", "BF16, F16, F32"},
      {"integer gate", retype("g", dtype::i32), "I32", "BF16, F16, F32"},
      {"key dim too large",
       [](auto& list) {
         for (const char* name : {"q", "k"}) named(list, name) = tensor(name, dtype::f16, {2, 5, 1, 257});
       },
       "tensor 'q': K is out of range; given K = 257", "1 to 256"},
      {"value dim too large", reshape("v", {2, 5, 2, 513}), "tensor 'v': V is out of range; given V = 513", "1 to 512"},
      {"value heads",
       [](auto& list) {
         for (const char* name : {"q", "k"}) named(list, name) = tensor(name, dtype::f16, {2, 5, 4, 16});
       },
       "HV=2", "2H"},
      {"state type",
       [](auto& list) {
         list.push_back(tensor("initial_state", dtype::i32, {2, 2, 16, 24}));
       },
       "I32", "F32"},
      {"state shape",
       [](auto& list) {
         list.push_back(tensor("initial_state", dtype::f32, {1, 2, 16, 24}));
       },
       "[1, 2, 16, 24]", "N=2"},
      {"offsets with a batch", [](auto& list) { list.push_back(tensor("cu_seqlens", dtype::i32, {3})); }, "B=2", "B=1"},
      {"offsets of floats", [](auto& list) { list.push_back(tensor("cu_seqlens", dtype::f32, {3})); }, "F32",
       "I32, I64"},
      {"decreasing offsets", offsets({0, 4, 3, 5}), "cu_seqlens[2] = 3", "never decrease"},
      {"overrunning offsets", offsets({0, 3, 6}), "cu_seqlens[2] = 6", "T = 5"},
      {"negative offsets", offsets({-1, 3, 5}), "cu_seqlens[0] = -1", "between 0"},
  };
  for (const Broken& each : all) {
    const Folder folder;
    std::vector<HostTensor> list = inputs();
    each.change(list);
    const Finished done = run_on(folder, bytes_of(list));
    EXPECT_EQ(done.code, 2) << each.name;
    EXPECT_NE(done.err.find(each.given), std::string::npos) << each.name << ": " << done.err;
    EXPECT_NE(done.err.find(each.accepted), std::string::npos) << each.name << ": " << done.err;
    EXPECT_EQ(folder.files(), 1u) << each.name << ": the input alone";
  }
}

TEST(Run, RefusesNumbersInTheMetadataThatAreNone) {
  const Folder folder;
  for (const char* scale : {"a half", "0", "inf", "nan", "", "0.5x", "1e300", "-1e39", "1e-300"}) {
    const Finished done = run_on(folder, bytes_of(inputs(), {{"scale", scale}}));
    EXPECT_EQ(done.code, 2) << scale;
    EXPECT_NE(done.err.find("'scale'"), std::string::npos) << done.err;
  }
  const std::string rated =
      R"json({"name":"rated","decay":{"kind":"per_head","log_decay":"-softplus(input(g)) * square(scalar(rate))"}})json";
  const std::string variant = folder.write("rated.json", rated);
  ASSERT_EQ(run_on(folder, bytes_of(inputs(), {{"rate", "1"}}), variant).code, 0);
  const Finished done = run_on(folder, bytes_of(inputs(), {{"rate", "-1e300"}}), variant);
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("'rate': a number that does not fit float32; given -1e300"), std::string::npos) << done.err;
}

TEST(Run, RefusesScalarsThatSpoilTheDecay) {
  const Folder folder;
  auto constant = inputs();
  constant.pop_back();
  for (const char* layers : {"0", "3"}) {  // a division by zero; a decay that grows
    const Finished done = run_on(folder, bytes_of(constant, {{"layer", "6"}, {"layers", layers}}), "lightning");
    EXPECT_EQ(done.code, 2);
    EXPECT_NE(done.err.find(std::string("layers = ") + layers), std::string::npos) << done.err;
    EXPECT_NE(done.err.find("log-decay"), std::string::npos) << done.err;
  }
  EXPECT_EQ(folder.files(), 1u);
}

TEST(Run, RefusesItsOwnInputAsOutput) {
  const Folder folder;
  const std::string bytes = bytes_of(inputs()), in = folder.write("in", bytes);
  std::filesystem::create_hard_link(in, folder / "hard");
  std::filesystem::create_symlink("in", folder / "soft");
  for (const char* out : {"in", "./in", "hard", "soft"}) {
    const Finished done = rankone({"run", "simple_gla", "--in", in, "--out", folder / out, "--device", "cpu"});
    EXPECT_EQ(done.code, 2) << out;
    EXPECT_NE(done.err.find("would take the place of the tensors that are read"), std::string::npos) << done.err;
  }
  EXPECT_EQ(contents(in), bytes);
  const Finished below = rankone({"run", "simple_gla", "--in", in, "--out", folder / "in/o", "--device", "cpu"});
  EXPECT_NE(below.err.find("Not a directory"), std::string::npos) << below.err;
}

// Before the tensors are read, and so before long work.
TEST(Run, RefusesAnOutputThatLeadsNowhere) {
  const Folder folder;
  std::filesystem::create_symlink("missing/o", folder / "link");
  std::filesystem::create_symlink("ring", folder / "ring");
  for (const auto& [out, words] : {std::pair("link", "cannot be created (No such file"), {"ring", "leads nowhere"}}) {
    const Finished done = rankone({"run", "simple_gla", "--in", folder / "none", "--out", folder / out});
    EXPECT_EQ(done.code, 2) << out;
    EXPECT_NE(done.err.find(words), std::string::npos) << done.err;
  }
}

TEST(Run, SaysHowManySequencesTheStateHas) {
  const Folder folder;
  std::vector<HostTensor> packed = {tensor("q", dtype::f32, {1, 6, 1, 16}),
                                    tensor("k", dtype::f32, {1, 6, 1, 16}),
                                    tensor("v", dtype::f32, {1, 6, 1, 16}),
                                    tensor("g", dtype::f32, {1, 6, 1}, -0.1),
                                    tensor("initial_state", dtype::f32, {1, 1, 16, 16}),
                                    tensor("cu_seqlens", dtype::i32, {3}, 0)};
  const Finished done = run_on(folder, bytes_of(packed));
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("accepted: [N=2, HV=1, K=16, V=16]"), std::string::npos) << done.err;
}

TEST(Run, RefusesHeadersInItsOwnWords) {
  const Folder folder;
  for (const std::string& bytes : {std::string(8, '\0'), std::string("\5\0\0\0\0\0\0\0hello", 13)}) {
    const Finished done = run_on(folder, bytes);
    EXPECT_EQ(done.code, 2);
    EXPECT_EQ(done.err.find("json.exception"), std::string::npos) << done.err;
    EXPECT_NE(done.err.find("line 1, column"), std::string::npos) << done.err;
  }
}

TEST(Run, RefusesFilesThatAreBroken) {
  const Folder folder;
  const std::string whole = bytes_of(inputs());
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() - 1}) {
    const Finished done = run_on(folder, whole.substr(0, size));
    EXPECT_EQ(done.code, 2) << size;
    EXPECT_NE(done.err.find("accepted: "), std::string::npos) << done.err;
  }
  EXPECT_EQ(run_on(folder, whole + "x").code, 2);
  EXPECT_EQ(folder.files(), 1u);
}

TEST(Run, KeepsWhatWasThereWhenItFails) {
  const Folder folder;
  folder.write("out", "precious");
  EXPECT_EQ(run_on(folder, "broken").code, 2);
  EXPECT_EQ(contents(folder / "out"), "precious");
}

TEST(Run, RefusesSizesThatAreNotTheFiles) {
  const Folder folder;
  const std::string in = folder.write("in", bytes_of(inputs()));
  const auto code = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"run", "simple_gla", "--in", in, "--out", folder / "out", "--device", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return rankone(words).code;
  };
  EXPECT_EQ(code({"--shape", "T=6"}), 2);
  EXPECT_EQ(code({"--dtype", "bf16"}), 2);
  EXPECT_EQ(code({"--shape", "T=5,HV=2", "--dtype", "f16"}), 0);
}

}  // namespace
}  // namespace rankone::test
