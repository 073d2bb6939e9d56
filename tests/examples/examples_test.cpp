// SPDX-License-Identifier: MIT
// The examples as programs: exit codes, what they print, what they refuse.
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace {

struct Outcome {
  int code = -1;
  std::string output;  // both streams
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) outcome.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  return outcome;
}

bool contains(const Outcome& outcome, const std::string& text) {
  return outcome.output.find(text) != std::string::npos;
}

const std::string text_model = RANKONE_TEXT_MODEL;
const std::string quickstart = RANKONE_QUICKSTART;
const std::string new_variant = RANKONE_NEW_VARIANT;

// A folder of its own for each test, gone afterwards.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::path(RANKONE_BINARY_DIR) / ("examples-" + name + "-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// In float64 the model goes on like this; so it does only if the states are carried rightly from byte to byte.
constexpr const char* continuation = "Jesus Christ.\n               And the Lord GOD will say unto you";

TEST(TextModel, ScoresAsRecordedAndGoesOn) {
  const Outcome outcome = run(text_model + " --device cpu --bytes 48");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_TRUE(contains(outcome, "held-out text  1.3159 bits per byte")) << outcome.output;
  EXPECT_TRUE(contains(outcome, continuation)) << outcome.output;
}

TEST(TextModel, Bf16StaysWithinTheBound) {
  const Outcome outcome = run(text_model + " --device cpu --dtype bf16 --bytes 48");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_TRUE(contains(outcome, continuation)) << outcome.output;
}

TEST(TextModel, FailsOnAnotherText) {
  const Folder folder("other");
  std::filesystem::copy(RANKONE_SOURCE_DIR "/examples/data/gla-text-model.safetensors", folder.path());
  std::ofstream(folder / "held-out.txt") << std::string(200, 'z');
  const Outcome outcome = run(text_model + " --device cpu --bytes 0 --data " + folder.path());
  EXPECT_EQ(outcome.code, 1) << outcome.output;
}

TEST(TextModel, RefusesWhatItDoesNotKnow) {
  for (const std::string arguments :
       {"--devise cpu", "--device", "--device tpu", "--dtype f8", "--bytes many", "--data nowhere"})
    EXPECT_EQ(run(text_model + " " + arguments).code, 2) << arguments;
  EXPECT_TRUE(contains(run(text_model + " --dtype f8"), "f32, bf16"));
}

TEST(Quickstart, ChecksAndExports) {
  const Folder folder("out");
  const Outcome outcome = run(quickstart + " --device cpu -o " + folder.path());
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  std::set<std::string> kinds;
  for (const auto& each : std::filesystem::directory_iterator(folder.path()))
    if (each.path().filename().string().starts_with("my_gla_forward_")) kinds.insert(each.path().extension().string());
  for (const char* kind : {".cu", ".h", ".json"}) EXPECT_TRUE(kinds.contains(kind)) << kind << "\n" << outcome.output;
}

TEST(Quickstart, RefusesWithASentence) {
  const Outcome outcome = run(quickstart + " --frob 1");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome, "given --frob; accepted: --device")) << outcome.output;
  EXPECT_TRUE(contains(run(quickstart + " --device"), "an option without a value; given --device"));
}

TEST(QuickstartScript, TakesADeclarationAllTheWay) {
  const Folder folder("script");
  const std::string programs = std::filesystem::path(quickstart).parent_path().string();
  const Outcome outcome =
      run(RANKONE_SOURCE_DIR "/scripts/quickstart --built " + programs + " --device cpu --out " + folder.path());
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  for (const char* written : {".cu", ".h", ".json", "my_gla.variant.json", "o.safetensors"})
    EXPECT_TRUE(contains(outcome, written)) << outcome.output;
  EXPECT_TRUE(contains(outcome, "bits per byte")) << outcome.output;
}

// Its exit code says whether the loss falls, and as with the oracle's gradients.
TEST(NewVariant, LearnsAsWithTheOraclesGradients) {
  const Folder folder("new-variant");
  const Outcome outcome = run(new_variant + " --device cpu --steps 12 --out " + (folder / "curve.svg"));
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  std::ifstream file(folder / "curve.svg");
  const std::string svg(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(svg.rfind("<svg xmlns=", 0), 0u);
  EXPECT_NE(svg.find("generated kernels on "), std::string::npos);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
}

TEST(NewVariant, RefusesWhatItDoesNotKnow) {
  for (const std::string arguments : {"--devise cpu", "--steps", "--steps 1", "--steps many", "--text nowhere"}) {
    const Outcome outcome = run(new_variant + " " + arguments);
    EXPECT_EQ(outcome.code, 2) << arguments << ": " << outcome.output;
    EXPECT_TRUE(contains(outcome, "accepted")) << outcome.output;
  }
}

}  // namespace
