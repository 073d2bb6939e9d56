// SPDX-License-Identifier: MIT
// Every refusal: exit code 2, nothing on standard output, one sentence that says what was given and what is accepted.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "folder.hpp"
#include "process.hpp"

namespace rankone::test {
namespace {

struct Case {
  const char *name, *line, *given, *accepted;
};

class Refusal : public testing::TestWithParam<Case> {};

TEST_P(Refusal, SaysWhatWasGivenAndWhatIsAccepted) {
  const Case& each = GetParam();
  const Finished done = rankone(split(each.line));
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(done.out, "");
  EXPECT_NE(done.err.find(std::string("; given ")), std::string::npos) << done.err;
  EXPECT_NE(done.err.find(each.given), std::string::npos) << done.err;
  EXPECT_NE(done.err.find(std::string("accepted: ")), std::string::npos) << done.err;
  EXPECT_NE(done.err.find(each.accepted, done.err.find("accepted: ")), std::string::npos) << done.err;
  EXPECT_EQ(std::count(done.err.begin(), done.err.end(), '\n'), 1) << done.err;
}

constexpr Case cases[] = {
    {"unknown_command", "chekc gla", "chekc", "check"},
    {"unknown_global_option", "--jsno list", "--jsno", "--json"},
    {"unknown_option", "check gla --devcie cpu", "--devcie", "--device"},
    {"option_without_value", "check gla --chunk", "nothing", "multiples of 16"},
    {"archs_without_value", "compile gla --arch", "nothing", "sm_90a, sm_100a, sm_120a, all"},
    {"joined_empty_value", "check gla --dtype=", "--dtype=", "bf16, f16, f32"},
    {"toggle_with_value", "check gla --packed=7", "--packed=7", "--packed alone"},
    {"device_twice", "check gla --device cpu --device cpu", "--device cpu and --device cpu", "one --device"},
    {"seed_on_both_sides", "--seed 1 check gla --seed 2", "--seed 1 and --seed 2", "one --seed"},
    {"size_missing_after_a_comma", "check gla --shape T=5,", "''", "B=, T="},
    {"device_that_is_not_used", "show gla --device gpu", "gpu", "cuda:N"},
    {"seed_that_is_not_used", "show gla --seed abc", "abc", "an integer from 0"},
    {"seed_of_compile", "compile gla --seed -1", "-1", "an integer from 0"},
    {"seed_before_the_command", "--seed x list", "x", "an integer from 0"},
    {"unknown_arch_of_compile", "compile gla --arch bogus", "bogus", "or all"},
    {"scalar_that_spoils_the_decay", "check lightning --device cpu --scalar layers=0", "layers = 0", "every log-decay"},
    {"file_as_folder", "emit gla -o /etc/passwd/a.cu", "/etc/passwd/a.cu", "a folder"},
    {"option_twice", "check gla --chunk 16 --chunk 32", "--chunk", "--chunk"},
    {"no_variant", "check", "nothing", "rankone list"},
    {"two_variants", "check gla linear", "linear", "one VARIANT"},
    {"option_that_means_nothing", "doctor --shape T=1", "--shape", "--json"},
    {"unknown_variant", "check glaa", "glaa", "gla_sigmoid"},
    {"missing_json_file", "show nowhere/at/all.json", "No such file", "readable"},
    {"folder_as_variant", "show /", "directory", "readable"},
    {"unknown_pass", "check gla --pass sideways", "sideways", "forward"},
    {"states", "tune gla --pass states", "states", "forward, backward, decode"},
    {"tune_of_no_pass", "tune dig --pass decode", "decode", "forward, backward"},
    {"unknown_dtype", "check gla --dtype fp8", "fp8", "bf16, f16, f32"},
    {"unknown_precision", "check gla --dtype f32 --precision f64", "f64", "tf32, f32"},
    {"precision_of_bf16", "check gla --precision f32 --device cpu", "bf16", "dtype f32"},
    {"unknown_size", "check gla --shape D=128", "D=128", "K="},
    {"size_twice", "check gla --shape T=1,T=2", "T=2", "once"},
    {"size_that_is_no_number", "check gla --shape T=1e3", "1e3", "an integer from 1"},
    {"size_zero", "check gla --shape T=0", "0", "an integer from 1"},
    {"negative_size", "check gla --shape B=-1", "-1", "an integer from 1"},
    {"huge_size", "check gla --shape T=99999999999999999999", "99999999999999999999", "an integer from 1"},
    {"more_than_memory", "check gla --device cpu --shape T=1000000000,H=64", "MiB", "MiB"},
    {"key_dim_too_large", "check gla --shape K=257", "257", "1 to 256"},
    {"value_dim_too_large", "emit gla --shape V=513", "513", "1 to 512"},
    {"value_heads", "check gla --shape H=2,HV=3", "HV=3", "2H"},
    {"two_shapes", "check gla --shape T=1 --shape T=2", "T=2", "one"},
    {"unknown_device", "check gla --device tpu", "tpu", "cuda:N"},
    {"device_that_is_no_number", "check gla --device cuda:x", "cuda:x", "cuda:N"},
    {"chunk_of_17", "check gla --chunk 17", "17", "multiples of 16"},
    {"chunk_too_large", "check gla --chunk 256", "256", "16 to 128"},
    {"chunk_that_is_no_number", "check gla --chunk big", "big", "16 to 128"},
    {"segment", "check gla --states segment --family portable", "segment", "level of serial, segment (hopper)"},
    {"family", "check gla --family ampere", "ampere", "portable, hopper"},
    {"unknown_level", "check gla --states parallel", "parallel", "serial, chunk"},
    {"toggle_twice", "check gla --prepared --prepared", "--prepared and --prepared", "one --prepared"},
    {"quiet_twice", "-q check gla --quiet", "--quiet and --quiet", "one --quiet"},
    {"pin_and_its_opposite", "check gla --prepared --no-prepared", "its opposite", "one of them"},
    {"saved", "check gla --saved keep", "keep", "backward"},
    {"unknown_suite", "bench --suite backward --device cpu", "backward", "forward, decode, recurrent"},
    {"suite_and_pass", "bench --suite decode --pass decode --device cpu", "--pass decode", "--suite alone"},
    {"bench_of_no_pass", "bench dig --pass decode --device cpu", "decode", "forward, backward"},
    {"suite_and_variant", "bench gla --suite forward --device cpu", "gla", "--suite alone"},
    {"suite_on_the_cpu", "bench --suite forward --device cpu", "the CPU device", "--device cuda"},
    {"bench_of_nothing", "bench --device cpu", "nothing", "--suite forward"},
    {"stages", "check gla --stages 7", "7", "2 to 6"},
    {"warps", "check gla --warps 0", "0", "1 to 16"},
    {"pins_that_do_not_fit", "emit gla --value-tile 16 --warps 8", "warps=8", "warps of"},
    {"cluster_in_f16", "check gla --device cpu --cluster 2 --dtype f16", "cluster=2 with f16", "cluster of 1"},
    {"unknown_arch", "emit gla --arch sm_70", "sm_70", "sm_90a"},
    {"two_archs", "emit gla --arch sm_80 --arch sm_90a", "sm_90a", "one"},
    {"unknown_scalar", "check gla --device cpu --scalar layer=3", "layer", "none"},
    {"scalar_without_value", "check lightning --scalar layer", "layer", "NAME=VALUE"},
    {"scalar_that_is_no_number", "check lightning --scalar layer=three", "three", "decimal"},
    {"packed_batch", "check gla --device cpu --packed --shape B=2", "B=2", "B=1"},
    {"seed", "check gla --seed -1", "-1", "an integer from 0"},
    {"tune_on_cpu", "tune gla --device cpu", "--device cpu", "CUDA GPU"},
    {"tune_decode_on_cpu", "tune gla --pass decode --device cpu", "--device cpu", "CUDA GPU"},
    {"budget", "tune gla --budget 0", "0", "above 0"},
    {"repeats", "bench gla --device cpu --repeats 0", "0", "an integer from 1"},
    {"export_format", "export gla --format wasm -o /tmp", "wasm", "cuda"},
    {"export_without_folder", "export gla", "nothing", "-o DIR"},
    {"run_without_input", "run gla --out /tmp/o", "nothing", "--in FILE"},
    {"run_without_output", "run gla --in /tmp/i", "nothing", "--out FILE"},
    {"run_missing_input", "run gla --in /nowhere/at/all --out /tmp/o", "No such file", "safetensors"},
    {"run_extra_word", "run gla --in - --out - extra", "extra", "--in"},
    {"run_two_inputs", "run - --in - --out /tmp/o", "--in -", "one of them"},
    {"cache_action", "cache wipe", "wipe", "show, list, clear"},
};

INSTANTIATE_TEST_SUITE_P(CommandLine, Refusal, testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(Refusal, IsADocumentWithFourParts) {
  std::vector<std::string> words = split(GetParam().line);
  words.push_back("--json");
  const Finished done = rankone(words);
  EXPECT_EQ(done.code, 2);
  const auto error = nlohmann::json::parse(done.out).at("error");
  for (const char* part : {"message", "given", "accepted", "where"})
    EXPECT_FALSE(error.at(part).get<std::string>().empty()) << part << " of " << error;
}

TEST(Refusals, OfWordsSayAtWhichOption) {
  const auto where = [](const std::vector<std::string>& words) {
    std::vector<std::string> all = words;
    all.push_back("--json");
    const Finished done = rankone(all);
    EXPECT_EQ(done.code, 2);
    return nlohmann::json::parse(done.out).at("error").at("where").get<std::string>();
  };
  EXPECT_EQ(where({"check", "gla", "--dtype", ""}), "--dtype");
  EXPECT_EQ(where({"check", "gla", "--shape", ""}), "--shape");
  EXPECT_EQ(where({"compile", "gla", "--arch", "bogus"}), "--arch");
  EXPECT_EQ(where({"emit", "gla", "--arch", "bogus"}), "--arch");
  EXPECT_EQ(where({"check", "gla", "--device", "bogus"}), "--device");
  EXPECT_EQ(where({"check", "gla", "--precision", "f32"}), "--precision");
}

TEST(Refusals, OfKnobsPointAtTheirOption) {
  const auto where = [](const std::string& line) {
    return nlohmann::json::parse(rankone(split(line + " --json")).out).at("error").at("where").get<std::string>();
  };
  EXPECT_EQ(where("emit gla --family portable --states segment"), "--states");
  EXPECT_EQ(where("emit gla --dtype f32 --family hopper"), "--family");
  EXPECT_EQ(where("emit simple_gla --arch sm_90a --prepared"), "--prepared");
  EXPECT_EQ(where("emit gla --value-tile 16 --warps 8"), "--value-tile");
}

TEST(Refusals, SuggestWhatWasMeant) {
  const auto said = [](const std::string& line) { return rankone(split(line)).err; };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(has(said("cehck gla"), "an unknown command (did you mean 'check'?)")) << said("cehck gla");
  EXPECT_TRUE(has(said("check rodimu"), "an unknown variant (did you mean 'rodimus'?)")) << said("check rodimu");
  EXPECT_TRUE(has(said("check gla --devcie cpu"), "an unknown option (did you mean '--device'?)"));
  EXPECT_TRUE(has(said("run gla --packed"), "an option of other commands (check); given --packed"))
      << said("run gla --packed");
  EXPECT_FALSE(has(said("run gla --pakced"), "'--saved'")) << "which no command accepts";
  EXPECT_TRUE(has(said("check lightning --device cpu --scalar layr=3"), "(did you mean 'layer'?)"));
  EXPECT_TRUE(has(rankone({"show", "-"}, R"({"name":"a","dcay":{}})").err, "(did you mean 'decay'?)"));
  const std::string misspelt = R"json({"name":"a","decay":{"kind":"perkey","log_decay":"input(g)"}})json";
  EXPECT_TRUE(has(rankone({"show", "-"}, misspelt).err, "(did you mean 'per_key'?)"));
  EXPECT_FALSE(has(said("zzzzzz gla"), "did you mean"));
}

TEST(Refusals, OfEnvironmentVariablesNameThem) {
  const Finished done = rankone(split("check gla --device cpu --json"), {}, {{"RANKONE_SEED", "abc"}});
  EXPECT_EQ(done.code, 2);
  const auto error = nlohmann::json::parse(done.out).at("error");
  EXPECT_EQ(error.at("where"), "RANKONE_SEED");
  EXPECT_EQ(error.at("given"), "abc");
}

TEST(Refusals, OfTuningWithoutAGpuSayThatNoneWasFound) {
  const Finished done = rankone(split("tune gla"), {}, {{"CUDA_VISIBLE_DEVICES", ""}});
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("no --device, and no GPU was found here"), std::string::npos) << done.err;
}

TEST(Refusals, AreOneLineOfBoundedLength) {
  for (const std::string& word : {std::string(100'000, 'x'), std::string("two\nlines"), std::string("\x1b[31mred")}) {
    const Finished done = rankone({"check", word});
    EXPECT_EQ(done.code, 2);
    EXPECT_LT(done.err.size(), 1500u);
    EXPECT_EQ(done.err.find('\n'), done.err.size() - 1) << done.err;
    EXPECT_EQ(done.err.find('\x1b'), std::string::npos);
  }
}

TEST(Refusals, OfStandardOutputThatIsClosedGoToStandardError) {
  const Finished done = run({"sh", "-c", std::string(RANKONE_COMMAND) + " list --json >&-"});
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("standard output: writing failed"), std::string::npos) << done.err;
}

TEST(Refusals, OfAJsonOptionWithAValueAreDocuments) {
  const Finished done = rankone({"check", "gla", "--json=maybe"});
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(nlohmann::json::parse(done.out).at("error").at("given"), "--json=maybe");
}

TEST(Refusals, OfAVariantAsItsOwnOutput) {
  const Folder folder, exported;
  const std::string spec = R"json({"name":"mine"})json", first = folder.write("mine.json", spec);
  EXPECT_EQ(rankone({"emit", first, "-o", first}).code, 2);
  ASSERT_EQ(rankone({"export", first, "--arch", "sm_80", "-o", exported.path()}).code, 0);
  std::string manifest;
  for (const auto& entry : std::filesystem::directory_iterator(exported.path()))
    if (entry.path().extension() == ".json") manifest = entry.path().filename().string();
  const std::string file = folder.write(manifest, spec);
  const Finished done = rankone({"export", file, "--arch", "sm_80", "-o", folder.path()});
  EXPECT_EQ(done.code, 2) << "its manifest would be " << manifest;
  EXPECT_NE(done.err.find("would take the place of the variant"), std::string::npos) << done.err;
  EXPECT_EQ(contents(file), spec);
}

TEST(Refusals, OfVariantsSayWhereTheFileIsWrong) {
  const auto refusal = [](const std::string& text) {
    const Finished done = rankone({"show", "-"}, text);
    EXPECT_EQ(done.code, 2) << text;
    EXPECT_EQ(done.out, "");
    return done.err;
  };
  EXPECT_NE(refusal("").find("standard input"), std::string::npos);
  EXPECT_NE(refusal("{").find("standard input"), std::string::npos);
  EXPECT_NE(refusal(R"json({"name":"a","dcay":{}})json").find("dcay"), std::string::npos);
  EXPECT_NE(refusal(R"json({"name":"a","decay":{"kind":"per_key","log_decay":"cosh(input(x))"}})json").find("cosh"),
            std::string::npos);
  EXPECT_NE(refusal(R"json({"name":"a b"})json").find("a b"), std::string::npos);
  EXPECT_NE(refusal(R"json({"name":"a","scale":1e300})json").find("1e+300"), std::string::npos);
  EXPECT_NE(refusal(R"json({"name":"a","scale":1e-300})json").find("1e-300"), std::string::npos);
}

TEST(Refusals, OfScalesThatNoRandomInputsSuit) {
  const std::string growing =
      R"json({"name":"growing","decay":{"kind":"per_head","log_decay":"1 + square(input(x))"}})json";
  const Finished done = rankone({"check", "-", "--device", "cpu"}, growing);
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("a log-decay is above 0 on random inputs; given 1 + square(input(x));"), std::string::npos)
      << done.err;
}

TEST(Refusals, OfACacheFolderThatWasNamedAndCannotServe) {
  const Folder folder;
  const std::string file = folder.write("file", "no folder");
  const std::string check = "check gla --device cpu --shape T=16,H=1,K=16,V=16";
  const Finished done = rankone(split(check), {}, {{"RANKONE_CACHE_DIR", file}});
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find(file), std::string::npos) << done.err;
  EXPECT_EQ(rankone(split("show gla"), {}, {{"RANKONE_CACHE_DIR", file}}).code, 0) << "it builds nothing";
  const Finished other = rankone(split(check), {}, {{"RANKONE_CACHE_DIR", ""}, {"XDG_CACHE_HOME", file}});
  EXPECT_EQ(other.code, 0) << "a default folder that fails is not in the way: " << other.err;
}

TEST(Refusals, WithoutHostCompilerOrLibraries) {
  const Folder folder;
  const std::vector<Setting> cold = {{"RANKONE_CACHE_DIR", folder.path()}, {"RANKONE_CXX", "/nowhere/c++"}};
  const Finished compiler = rankone(split("check gla --device cpu --shape T=16,H=1,K=16,V=16"), {}, cold);
  EXPECT_EQ(compiler.code, 2);
  EXPECT_NE(compiler.err.find("RANKONE_CXX"), std::string::npos) << compiler.err;
  const std::string broken = folder.write("broken", "neither a program nor a script");
  std::filesystem::permissions(broken, std::filesystem::perms::owner_all);
  const auto compiled_by = [&](const std::string& command) {
    return rankone(split("check gla --device cpu --shape T=16,H=1,K=16,V=16"), {},
                   {{"RANKONE_CACHE_DIR", folder / "cache"}, {"RANKONE_CXX", command}});
  };
  EXPECT_EQ(compiled_by(broken).code, 2) << "it cannot be started";
  EXPECT_EQ(compiled_by("true").code, 2) << "it is no compiler";
  EXPECT_EQ(compiled_by("false").code, 2) << "it is no compiler either";
  EXPECT_EQ(compiled_by("c++ -Dnamespace=oops").code, 3) << "it refuses the emitted text";
  const Finished nvrtc = rankone(split("compile gla --arch sm_90a"), {},
                                 {{"RANKONE_CACHE_DIR", folder.path()}, {"RANKONE_NVRTC", "/nowhere/libnvrtc.so"}});
  EXPECT_EQ(nvrtc.code, 2);
  EXPECT_NE(nvrtc.err.find("/nowhere/libnvrtc.so"), std::string::npos) << nvrtc.err;
  const Finished gpu = rankone(split("check gla --device cuda:99"));
  EXPECT_EQ(gpu.code, 2);
  EXPECT_NE(gpu.err.find("accepted: "), std::string::npos) << gpu.err;
}

TEST(Refusals, LeaveNothingBehind) {
  const Folder folder;
  EXPECT_EQ(rankone({"emit", "gla", "--chunk", "17", "-o", folder / "a.cu"}).code, 2);
  EXPECT_EQ(rankone({"export", "gla", "--arch", "sm_1", "-o", folder / "out"}).code, 2);
  EXPECT_EQ(rankone({"run", "gla", "--in", folder.write("empty", ""), "--out", folder / "o"}).code, 2);
  EXPECT_EQ(folder.files(), 1u) << "the input alone";
  EXPECT_EQ(rankone({"emit", "gla", "-o", folder / "no/such/folder/a.cu"}).code, 2);
  EXPECT_EQ(rankone({"emit", "gla", "-o", folder.path()}).code, 2);
  EXPECT_EQ(rankone({"emit", "gla", "-o", "/dev/full"}).code, 2);
  EXPECT_EQ(folder.files(), 1u);
}

TEST(Refusals, ExportsAreWholeOrNotThere) {
  const Folder folder;
  const std::vector<std::string> words = {"export", "gla", "--arch", "sm_80", "-o", folder.path()};
  ASSERT_EQ(rankone(words).code, 0);
  std::vector<std::filesystem::path> all;
  for (const auto& each : std::filesystem::directory_iterator(folder.path())) all.push_back(each.path());
  ASSERT_GE(all.size(), 3u);
  for (const auto& taken : all) {
    for (const auto& each : all) std::filesystem::remove_all(each);
    std::filesystem::create_directory(taken);
    const Finished done = rankone(words);
    EXPECT_EQ(done.code, 2);
    EXPECT_NE(done.err.find(taken.string() + ": the output is a directory"), std::string::npos) << done.err;
    EXPECT_EQ(folder.files(), 1u) << "but for " << taken;
  }
}

TEST(Refusals, OfPipesAndDevicesThatWouldBeWaitedFor) {
  const Folder folder;
  const std::string pipe = folder / "pipe.json";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string command = "timeout 20 " RANKONE_COMMAND " ";
  const std::string out = " --out " + folder / "o";
  const std::vector<std::string> lines = {"run gla --in " + pipe + out, "show " + pipe, "show /dev/zero",
                                          "run gla --in /dev/zero" + out};
  for (const std::string& line : lines) {
    const Finished done = run({"sh", "-c", command + line});
    EXPECT_EQ(done.code, 2) << line;
    EXPECT_NE(done.err.find("the file cannot be read; given a "), std::string::npos) << done.err;
  }
  // What the shell has opened already is read.
  const Finished given = run({"sh", "-c", "echo '{\"name\": \"a\"}' | " + command + "show /dev/fd/0 --json"});
  EXPECT_EQ(given.code, 0) << given.err;
}

TEST(Refusals, OfStandardOutputThatIsFull) {
  const Finished done = run({"sh", "-c", std::string(RANKONE_COMMAND) + " list > /dev/full"});
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.err.find("standard output"), std::string::npos) << done.err;
}

}  // namespace
}  // namespace rankone::test
