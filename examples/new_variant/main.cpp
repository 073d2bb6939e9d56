// SPDX-License-Identifier: MIT
// Trains a small language model on a variant that is in no paper, with the gradients that were derived from its
// declaration; then once more from the same start with the oracle's, and draws both losses.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include <rankone/rankone.hpp>

#include "../support/main.hpp"
#include "attention.hpp"
#include "curve.hpp"
#include "model.hpp"
#include "variant.hpp"

namespace {

using namespace new_variant;
using rankone::Error;
using rankone::ErrorCode;

constexpr const char* usage = R"(new_variant [--device auto|cpu|cuda[:N]] [--steps N] [--text FILE] [--out FILE.svg]
  --device   where attention runs (default auto: the GPU, or the CPU where there is none)
  --steps    how many windows of 4 times 64 bytes to learn from (default 300)
  --text     what to learn (default: the held-out text of examples/data)
  --out      where the curve is drawn (default new_variant.svg)
Exit code 1: the loss does not fall, or not as with the oracle's gradients.
)";

constexpr Sizes sizes{.batch = 4, .tokens = 64, .heads = 2, .key_dim = 16, .value_dim = 16};
// Roundings of float32 grow from step to step: after a few hundred the two runs still agree to this, in bits a byte.
constexpr double agreement = 0.02;

struct Options {
  std::string device = "auto", text = RANKONE_EXAMPLES_DATA "/held-out.txt", out = "new_variant.svg";
  int steps = 300;
};

int parse_steps(const std::string& text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(text) < 2)
    throw Error(ErrorCode::invalid_argument, "not a number of steps", text, "2 to 99999", "--steps");
  return std::stoi(text);
}

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; i += 2) {
    const std::string name = words[i];
    if (name != "--device" && name != "--steps" && name != "--text" && name != "--out")
      throw Error(ErrorCode::invalid_argument, "unknown option", name, "--device, --steps, --text, --out, --help");
    if (i + 1 == count) throw Error(ErrorCode::invalid_argument, "an option without its value", name, name + " VALUE");
    const std::string value = words[i + 1];
    if (name == "--device") options.device = value;
    if (name == "--steps") options.steps = parse_steps(value);
    if (name == "--text") options.text = value;
    if (name == "--out") options.out = value;
  }
  return options;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t least = std::size_t(sizes.batch * sizes.tokens + 1);
  if (!file || text.size() < least)
    throw Error(ErrorCode::io, "the text cannot be read, or is short", std::to_string(text.size()) + " bytes",
                "at least " + std::to_string(least) + " bytes", path);
  return text;
}

// Windows one after the other; those of a step lie side by side.
std::vector<std::string_view> windows_of(std::string_view text, int step) {
  const std::size_t tokens = std::size_t(sizes.tokens), count = (text.size() - 1) / tokens;
  std::vector<std::string_view> windows;
  for (std::size_t i = 0; i < std::size_t(sizes.batch); ++i)
    windows.push_back(text.substr((std::size_t(step) * std::size_t(sizes.batch) + i) % count * tokens, tokens + 1));
  return windows;
}

Curve train(Attention& attention, std::string_view text, int steps) {
  Model model(sizes);
  Curve curve{attention.name(), {}};
  for (int step = 0; step < steps; ++step) {
    curve.losses.push_back(model.train(attention, windows_of(text, step)));
    if (step % 50 == 0 || step == steps - 1)
      std::printf("  step %5d  loss %.4f bits a byte\n", step, curve.losses.back());
    std::fflush(stdout);
  }
  return curve;
}

int run(const Options& options) {
  const std::string text = read_text(options.text);
  const auto device = rankone::Device::named(options.device);
  std::printf("%s\n", rankone::describe(hyperbolic).c_str());
  const auto generated = generated_attention(device, sizes);
  std::printf("%s\n", generated->name().c_str());
  Curve curve = train(*generated, text, options.steps);
  const auto oracle = oracle_attention(sizes);
  std::printf("%s\n", oracle->name().c_str());
  const Curve expected = train(*oracle, text, options.steps);

  double apart = 0;
  for (std::size_t i = 0; i < curve.losses.size(); ++i)
    apart = std::max(apart, std::abs(curve.losses[i] - expected.losses[i]));
  const bool falls = curve.losses.back() < curve.losses.front(), agrees = apart <= agreement;
  std::printf("from %.4f to %.4f bits a byte; at most %.1e apart from the oracle's%s\n", curve.losses.front(),
              curve.losses.back(), apart, falls && agrees ? "" : "  WRONG");
  curve.label = "generated kernels on " + curve.label;
  std::ofstream file(options.out);
  file << draw("A variant that is in no paper, trained", {curve, expected});
  if (!file.flush())
    throw Error(ErrorCode::io, "the curve cannot be written", "a full or missing folder", "a file", options.out);
  std::printf("drawn          %s\n", options.out.c_str());
  return falls && agrees ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  return support::run_example("new_variant", usage, count, words,
                              [](int n, char** given) { return run(parse(n, given)); });
}
