// SPDX-License-Identifier: MIT
// What each command does on its good days: help whose examples run, text on streams, files, tables without colours.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include <algorithm>
#include <sstream>

#include "folder.hpp"
#include "process.hpp"

namespace rankone::test {
namespace {

constexpr const char* commands[] = {"list",  "show", "emit",   "compile", "check", "run",
                                    "bench", "tune", "export", "cache",   "doctor"};

std::string example_of(const std::string& help) {
  const std::size_t start = help.find("Example:\n  rankone ");
  if (start == std::string::npos) return {};
  const std::size_t begin = start + std::string("Example:\n  rankone ").size();
  return help.substr(begin, help.find('\n', begin) - begin);
}

class Help : public testing::TestWithParam<const char*> {};

TEST_P(Help, HasAnExampleThatRuns) {
  const Finished help = rankone({GetParam(), "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  const std::string example = example_of(help.out);
  ASSERT_FALSE(example.empty()) << help.out;
  EXPECT_EQ(split(example).front(), GetParam());

  const Folder folder;
  const std::string data = std::string(RANKONE_SOURCE_DIR) + "/examples/data/gla-text-activations.safetensors";
  const Finished done =
      run({"sh", "-c", "cd " + folder.path() + " && cp " + data + " . && exec " RANKONE_COMMAND " " + example});
  const bool needs_gpu = std::string(GetParam()) == "tune", needs_nvrtc = std::string(GetParam()) == "compile";
  if (needs_gpu && done.code == 2) {
    EXPECT_NE(done.err.find("GPU"), std::string::npos) << done.err;
  } else if (needs_nvrtc && done.code == 2) {
    EXPECT_NE(done.err.find("NVRTC"), std::string::npos) << done.err;
  } else {
    EXPECT_EQ(done.code, 0) << done.err;
  }
}

INSTANTIATE_TEST_SUITE_P(Commands, Help, testing::ValuesIn(commands),
                         [](const auto& info) { return std::string(info.param); });

TEST(Commands, HelpListsWhatMeansSomething) {
  for (const char* name : {"list", "cache", "doctor"}) {
    const std::string help = rankone({name, "--help"}).out;
    EXPECT_EQ(help.find("--shape"), std::string::npos) << help;
    EXPECT_NE(help.find("--quiet"), std::string::npos) << help;
  }
  for (const char* name : commands) EXPECT_EQ(rankone({name, "--help"}).out.find("--saved"), std::string::npos) << name;
}

TEST(Commands, GeneralHelpNamesThemAll) {
  const Finished help = rankone({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* name : commands)
    EXPECT_NE(help.out.find(std::string("\n  ") + name + " "), std::string::npos) << name;
  EXPECT_FALSE(example_of(help.out).empty());
  EXPECT_EQ(rankone({"--version"}).out.rfind("rankone 0.", 0), 0u);
}

TEST(Commands, NothingAskedForIsHelp) {
  const Finished bare = rankone(std::vector<std::string>{});
  EXPECT_EQ(bare.code, 0);
  EXPECT_EQ(bare.out, rankone({"--help"}).out);
}

TEST(Commands, HelpWrapsAtTheWidthThereIs) {
  for (const std::size_t width : {50, 80, 120})
    for (const std::string line : {"--help", "check --help", "bench --help"}) {
      std::istringstream help(rankone(split(line), {}, {{"COLUMNS", std::to_string(width)}}).out);
      std::size_t longest = 0;
      std::string text;
      for (bool example = false; std::getline(help, text);) {
        example = example || text == "Example:";  // one command, to be copied
        if (!example) longest = std::max(longest, text.size());
      }
      EXPECT_LE(longest, width) << line;
      if (line != "--help") {  // its lines are short
        EXPECT_GT(longest, width - 20) << line;
      }
    }
}

TEST(Commands, HelpHasAnOptionForEachKnob) {
  const std::string help = rankone({"emit", "--help"}).out;
  for (const char* option : {"--family", "--states", "--chunk", "--value-tile", "--warps", "--stages", "--cluster",
                             "--prepared", "--no-prepared"})
    EXPECT_NE(help.find(std::string("  ") + option), std::string::npos) << option;
}

TEST(Commands, AnArchitectureWithoutItsSuffixIsTakenWithAWarning) {
  const Finished done = rankone(split("emit gla --arch sm_90"));
  EXPECT_EQ(done.code, 0);
  EXPECT_NE(done.err.find("sm_90a"), std::string::npos) << done.err;
  EXPECT_EQ(rankone(split("emit gla --arch sm_90a")).err, "");
  EXPECT_EQ(rankone(split("emit gla --arch sm_90 --dtype f32")).err, "")
      << "the Hopper family does not serve it anyway";
  EXPECT_EQ(rankone(split("emit gla --arch sm_90 --family portable")).err, "") << "that is what was asked for";
}

TEST(Commands, LongWorkShowsThatItGoesOnOnATerminalAlone) {
  // More than a fast machine does in the two seconds that are waited in silence; a slow one is stopped.
  const auto work = [](const char* seconds) {
    return std::string("timeout ") + seconds + " " + RANKONE_COMMAND +
           " check gla --device cpu --shape T=40000,H=2,K=64,V=64 --seed 9";
  };
  const Finished shown = run({"script", "-qec", work("6"), "/dev/null"});
  if (shown.code == 127) GTEST_SKIP() << "no `script` here to make a terminal";
  EXPECT_NE(shown.out.find("checking gla"), std::string::npos) << shown.out;
  EXPECT_EQ(run({"sh", "-c", work("3")}).err.find("checking"), std::string::npos);
  EXPECT_EQ(run({"script", "-qec", work("3") + " --quiet", "/dev/null"}).out.find("checking"), std::string::npos);
}

TEST(Commands, OutputsGoThroughLinksAndReplaceNone) {
  const Folder folder;
  const auto shell = [&](const std::string& line) { return run({"sh", "-c", "cd " + folder.path() + " && " + line}); };
  const std::string emit = std::string(RANKONE_COMMAND) + " emit linear --arch sm_80 -o ";
  EXPECT_NE(shell("ln -s /proc/self/fd/1 out; " + emit + "out -q | cat").out.find("__global__"), std::string::npos);
  EXPECT_EQ(shell("test -L out").code, 0);
  EXPECT_EQ(shell("ln -s target later; " + emit + "later -q; test -L later && test -s target").code, 0);
  EXPECT_EQ(shell("ln -s b a; ln -s a b; " + emit + "a; test $? = 2 && test -L a").code, 0);
  // A folder that is not there does not hide that it is the variant that would be written over.
  const Finished hidden = shell("printf '{\"name\": \"mine\"}' > v.json; " + std::string(RANKONE_COMMAND) +
                                " emit v.json --arch sm_80 -o none/../v.json");
  EXPECT_EQ(hidden.code, 2) << hidden.err;
  EXPECT_NE(hidden.err.find("take the place of the variant"), std::string::npos) << hidden.err;
}

TEST(Commands, WordsThatAreEmptyAreRefused) {
  EXPECT_EQ(rankone({"", "gla"}).code, 2);
  EXPECT_EQ(rankone({""}).code, 2);
}

TEST(Commands, VariantsNestAndRepeatNoMoreWithinADocument) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const Finished nested = rankone({"show", "-", "--json"}, "{\"spec\":" + deep + "}");
  EXPECT_EQ(nested.code, 2);
  EXPECT_NE(nested.out.find("nested too deeply"), std::string::npos) << nested.out;
  EXPECT_EQ(rankone({"show", "-"}, "{\"spec\":{\"name\":\"a\",\"name\":\"b\"}}").code, 2);
}

TEST(Commands, AnUnknownLogLevelIsWarnedOfAtOnce) {
  const Finished done = rankone({"list"}, {}, {{"RANKONE_LOG", "loud"}});
  EXPECT_EQ(done.code, 0);
  EXPECT_NE(done.err.find("given loud; accepted: off, error"), std::string::npos) << done.err;
}

TEST(Commands, NoColoursOffTerminals) {
  for (const char* line : {"list", "show gla", "doctor", "cache"})
    EXPECT_EQ(rankone(split(line)).out.find('\x1b'), std::string::npos) << line;
}

TEST(Commands, NoColoursOnTerminalsWithNoColor) {
  const std::string command = std::string(RANKONE_COMMAND) + " list";
  const Finished plain = run({"script", "-qec", command, "/dev/null"}, {}, {{"NO_COLOR", "1"}});
  if (plain.code == 127) GTEST_SKIP() << "no `script` here to make a terminal";
  EXPECT_EQ(plain.out.find('\x1b'), std::string::npos);
  EXPECT_NE(run({"script", "-qec", command, "/dev/null"}, {}, {{"NO_COLOR", ""}}).out.find('\x1b'), std::string::npos);
}

TEST(Commands, EmitWritesTheSameTextEverywhere) {
  const Folder folder;
  const std::vector<std::string> words = {"emit", "gla_sigmoid", "--arch", "sm_90a"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return rankone(more);
  };
  const Finished streamed = with({});
  EXPECT_EQ(streamed.code, 0);
  EXPECT_NE(streamed.out.find("__global__"), std::string::npos);
  EXPECT_NE(streamed.out.find("SPDX-License-Identifier: MIT"), std::string::npos);
  EXPECT_EQ(with({"-o", "-"}).out, streamed.out);
  EXPECT_EQ(with({"-o", folder / "a.cu"}).code, 0);
  EXPECT_EQ(contents(folder / "a.cu"), streamed.out);
  EXPECT_EQ(nlohmann::json::parse(with({"--json"}).out).at("source"), streamed.out);
  EXPECT_EQ(rankone({"emit", "-", "--arch", "sm_90a"},
                    nlohmann::json::parse(rankone({"show", "gla_sigmoid", "--json"}).out).dump())
                .out,
            streamed.out);
}

TEST(Commands, EmitFollowsLinksAndWritesToDevices) {
  const Folder folder;
  folder.write("real.cu", "old");
  std::filesystem::create_symlink("real.cu", folder / "link.cu");
  EXPECT_EQ(rankone({"emit", "linear", "-o", folder / "link.cu"}).code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.cu"));
  EXPECT_NE(contents(folder / "real.cu"), "old");
  EXPECT_EQ(rankone({"emit", "linear", "-o", "/dev/null"}).code, 0);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(Commands, PinsShowInTheSchedule) {
  const std::string text =
      rankone(
          split("check gla --device cpu --shape T=20,H=1,K=32,V=32 --chunk 32 --states chunk --value-tile 32 --warps 2 "
                "--stages 1"))
          .out;
  EXPECT_NE(text.find("portable/chunk chunk=32 value_tile=32 warps=2 stages=1 (pinned)"), std::string::npos) << text;
}

TEST(Commands, CheckCoversTypesAndPrecisions) {
  const auto bound = [](const std::string& more) {
    const Finished done = rankone(
        split("check simple_gla --device cpu " +
              (more.find("--shape") == more.npos ? "--shape T=200,H=2,K=32,V=32 " : std::string()) + "--json " + more));
    EXPECT_EQ(done.code, 0) << done.err << done.out;
    return nlohmann::json::parse(done.out).at("passes")[0].at("tensors")[0].at("bound").get<double>();
  };
  // Of the worst kind of inputs; strong decays leave fewer elements that err by themselves.
  const auto expect_bound = [&](const std::string& more, double expected) {
    EXPECT_NEAR(bound(more), expected, 0.05 * expected) << more;
  };
  expect_bound("--dtype bf16", 3.2e-3);
  expect_bound("--dtype f16", 7e-4);
  expect_bound("--dtype f32", 7.6e-4);
  expect_bound("--dtype f32 --precision f32", 4.6e-7);
  EXPECT_GT(bound("--shape T=1,H=1,K=1,V=1"), 3.2e-3) << "few elements are no typical ones";
}

TEST(Commands, CheckOfAVariantOfOnesOwn) {
  const Folder folder;
  const std::string file = folder.write("mine.json", R"json({
    "name": "mine",
    "decay": {"kind": "per_key", "log_decay": "-softplus(input(a) + param(b))"},
    "write_scale": "sigmoid(input(w))"
  })json");
  const Finished done = rankone({"check", file, "--device", "cpu", "--shape", "T=20,H=1,K=16,V=16"});
  EXPECT_EQ(done.code, 0) << done.err << done.out;
}

TEST(Commands, ExportWritesWholeFiles) {
  const Folder folder;
  const Finished done =
      rankone({"export", "linear", "--arch", "sm_80", "--shape", "K=16,V=16", "-o", folder / "new/out", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto document = nlohmann::json::parse(done.out);
  EXPECT_NE(contents(document.at("source")).find("__global__"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(contents(document.at("manifest"))).is_object());
  if (!document.at("cubin").is_null()) {
    EXPECT_EQ(contents(document.at("cubin")).substr(1, 3), "ELF");
  }
  for (const auto& each : std::filesystem::directory_iterator(folder / "new/out"))
    EXPECT_NE(each.path().filename().string()[0], '.') << each;
}

TEST(Commands, ExportLeavesOthersAlone) {
  const Folder folder;
  std::set<std::string> files;
  const auto exported = [&](const std::string& more) {
    std::vector<std::string> words = {"export", "linear", "-o", folder.path(), "--json"};
    for (const std::string& word : split(more)) words.push_back(word);
    const Finished done = rankone(words, {}, {{"RANKONE_NVRTC", "/nowhere"}});
    EXPECT_EQ(done.code, 0) << done.err;
    const auto document = nlohmann::json::parse(done.out);
    EXPECT_TRUE(document.at("cubin").is_null());
    for (const char* each : {"source", "header", "manifest"}) files.insert(document.at(each).get<std::string>());
    return done;
  };
  // Sizes, types, architectures, passes.
  const std::vector<std::string> all = {"--arch sm_80 --shape K=64,V=64",
                                        "--arch sm_80 --shape K=128,V=128",
                                        "--arch sm_90a --shape K=64,V=64",
                                        "--arch sm_80 --shape K=64,V=64 --dtype f16",
                                        "--arch sm_80 --shape K=64,V=64 --pass states",
                                        "--arch sm_80 --shape K=64,V=64 --pass combine"};
  for (const std::string& each : all) exported(each);
  EXPECT_EQ(files.size(), 3 * all.size());
  const std::string again = exported(all[0]).err;
  EXPECT_EQ(std::count(again.begin(), again.end(), '\n'), 1) << "that there is no NVRTC is said once: " << again;
  for (const std::string& file : files) EXPECT_TRUE(std::filesystem::exists(file)) << file;
  EXPECT_EQ(files.size(), 3 * all.size()) << "the same configuration has the same files";
}

TEST(Commands, AnEmptyCacheIsSaidToBeEmpty) {
  const Folder folder;
  EXPECT_EQ(
      rankone({"cache", "list"}, {}, {{"RANKONE_CACHE_DIR", folder.path()}, {"RANKONE_SYSTEM_CACHE_DIR", "/nowhere"}})
          .out,
      "empty\n");
}

TEST(Commands, HelpAndVersionAreDocumentsToo) {
  const auto document = [](const std::string& line) { return nlohmann::json::parse(rankone(split(line)).out); };
  EXPECT_EQ("rankone " + document("--version --json").at("version").get<std::string>() + "\n",
            rankone({"--version"}).out);
  EXPECT_EQ(document("--help --json").at("help"), rankone({"--help"}).out);
  EXPECT_EQ(document("check --json --help").at("help"), rankone({"check", "--help"}).out);
}

// A single element near 0 has any relative error: few elements are drawn until they are many.
TEST(Commands, CheckPassesOnTheSmallestShapes) {
  for (const char* line : {"gla --shape T=3,K=1,V=1", "retnet --shape T=5,K=1,V=1 --seed 3",
                           "linear --shape T=1,K=1,V=1", "mamba2 --shape T=5,K=1,V=1 --seed 6",
                           "hgrn2 --shape T=7,K=2,V=1 --seed 2", "gla --shape T=6,K=4,V=4 --packed"}) {
    const Finished done = rankone(split(std::string("check ") + line + " --device cpu --json"));
    EXPECT_EQ(done.code, 0) << line << done.out;
    EXPECT_GT(nlohmann::json::parse(done.out).at("draws"), 1) << line;
  }
  const Finished large = rankone(split("check gla --device cpu --shape T=64,K=32,V=32 --json"));
  EXPECT_EQ(nlohmann::json::parse(large.out).at("draws"), 1);
}

TEST(Commands, DoctorTriesWhatItReports) {
  const Folder folder;
  std::filesystem::create_directories(folder / "rankone/tuned");
  folder.write("rankone/nvidia-h200.json", "garbage");
  folder.write("rankone/tuned/nvidia-h100.json", "garbage");
  const auto found = nlohmann::json::parse(
      rankone({"doctor", "--json"}, {},
              {{"RANKONE_CXX", "/bin/true"}, {"RANKONE_DATA_DIR", ""}, {"XDG_DATA_HOME", folder.path()}})
          .out);
  EXPECT_FALSE(found.at("compiler").at("found"));
  EXPECT_NE(found.at("compiler").at("problem").get<std::string>().find("/bin/true"), std::string::npos);
  for (const auto& each : found.at("folders"))
    if (each.at("purpose") == "tuned data") {
      const std::string problem = each.at("problem");
      EXPECT_NE(problem.find("nvidia-h100.json: this is not JSON"), std::string::npos) << problem;
      EXPECT_NE(problem.find("nvidia-h200.json: it is not read there"), std::string::npos) << problem;
    }
}

TEST(Commands, CacheIsFilledListedAndCleared) {
  const Folder folder;
  const std::vector<Setting> own = {{"RANKONE_CACHE_DIR", folder.path()}};
  ASSERT_EQ(rankone(split("check linear --device cpu --shape T=16,H=1,K=16,V=16"), {}, own).code, 0);
  const auto entries = nlohmann::json::parse(rankone({"cache", "list", "--json"}, {}, own).out).at("entries");
  ASSERT_FALSE(entries.empty());
  EXPECT_GT(nlohmann::json::parse(rankone({"cache", "clear", "--json"}, {}, own).out).at("freed_bytes"), 0);
  EXPECT_TRUE(nlohmann::json::parse(rankone({"cache", "list", "--json"}, {}, own).out).at("entries").empty());
}

TEST(Commands, InterruptedEndsWith130) {
  const Finished done = run({"timeout", "--preserve-status", "-s", "INT", "1", RANKONE_COMMAND, "bench", "gla",
                             "--device", "cpu", "--shape", "T=4000,H=8,K=128,V=128", "--repeats", "1000"});
  EXPECT_EQ(done.code, 130);
  EXPECT_EQ(done.out, "");
}

}  // namespace
}  // namespace rankone::test
