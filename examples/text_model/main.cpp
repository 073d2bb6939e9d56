// SPDX-License-Identifier: MIT
// A language model on generated kernels: scores a text that it never saw, then goes on writing, one byte a forward.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include <rankone/rankone.hpp>

#include "../support/main.hpp"
#include "model.hpp"
#include "network.hpp"

namespace {

using rankone::Error;
using rankone::ErrorCode;

constexpr const char* usage = R"(text_model [--device auto|cpu|cuda[:N]] [--dtype f32|bf16] [--bytes N] [--data DIR]
  --device   where attention runs (default auto: the GPU, or the CPU where there is none)
  --dtype    element type of q, k, v, x and o in the kernel (default f32)
  --bytes    how many bytes to write after the first 64 of the held-out text (default 106)
  --data     the folder of gla-text-model.safetensors and held-out.txt
Exit code 1: the bits per byte are further than 0.0005 from the recorded ones.
)";

struct Options {
  std::string device = "auto", data = RANKONE_EXAMPLES_DATA;
  rankone::dtype type = rankone::dtype::f32;
  std::size_t bytes = 106;
};

std::size_t parse_count(const std::string& text) {
  if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ErrorCode::invalid_argument, "not a number of bytes", text, "0 to 999999", "--bytes");
  return std::stoul(text);
}

rankone::dtype parse_type(const std::string& text) {
  if (text == "f32") return rankone::dtype::f32;
  if (text == "bf16") return rankone::dtype::bf16;
  throw Error(ErrorCode::invalid_argument, "unknown element type", text, "f32, bf16", "--dtype");
}

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; i += 2) {
    const std::string name = words[i];
    if (name != "--device" && name != "--dtype" && name != "--bytes" && name != "--data")
      throw Error(ErrorCode::invalid_argument, "unknown option", name, "--device, --dtype, --bytes, --data, --help");
    if (i + 1 == count) throw Error(ErrorCode::invalid_argument, "an option without its value", name, name + " VALUE");
    const std::string value = words[i + 1];
    if (name == "--device") options.device = value;
    if (name == "--dtype") options.type = parse_type(value);
    if (name == "--bytes") options.bytes = parse_count(value);
    if (name == "--data") options.data = value;
  }
  return options;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file || text.size() < 65)
    throw Error(ErrorCode::io, "the text cannot be read, or is short", std::to_string(text.size()) + " bytes",
                "at least 65 bytes", path);
  return text;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run(const Options& options) {
  using namespace text_model;
  const Model model = load_model(options.data + "/gla-text-model.safetensors");
  const std::string text = read_text(options.data + "/held-out.txt");
  const auto device = rankone::Device::named(options.device);
  const Attention attention(device, options.type, model.heads, model.key_dim, model.value_dim);
  std::printf("model          %zu layers, %zu heads, K = %zu, V = %zu; attention in %s on %s\n", model.layers.size(),
              model.heads, model.key_dim, model.value_dim, rankone::name_of(options.type), device.name().c_str());
  std::printf("schedule       %s\n", attention.op().schedule().c_str());

  auto start = std::chrono::steady_clock::now();
  const std::string_view held_out = text;
  const std::size_t read = held_out.size() - 1;
  const double bits = bits_per_byte(Network(model, attention).read(held_out.substr(0, read)), held_out.substr(1));
  const bool as_recorded = std::abs(bits - model.recorded_bits_per_byte) <= 0.0005;
  std::printf("held-out text  %.4f bits per byte over %zu bytes in %.2f s; recorded, in float64: %.4f%s\n", bits, read,
              seconds_since(start), model.recorded_bits_per_byte, as_recorded ? "" : "  NOT THE SAME");

  // The prompt is read once; then each forward has T = 1, and all that came before is in the states.
  const std::string_view prompt = held_out.substr(0, 64);
  Network network(model, attention);
  Vector logits = network.read(prompt);
  std::string written;
  start = std::chrono::steady_clock::now();
  while (written.size() < options.bytes) {
    written += likeliest(logits);
    logits = network.read(std::string_view(written).substr(written.size() - 1));
  }
  std::printf("prompt         %.*s\ncontinuation   ", int(prompt.size()), prompt.data());
  for (const char byte : written) std::printf(byte == '\n' ? "\n               " : "%c", byte);
  std::printf("\n               %zu forwards of one byte, %.1f ms each\n", written.size(),
              written.empty() ? 0.0 : 1e3 * seconds_since(start) / double(written.size()));
  return as_recorded ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  return support::run_example("text_model", usage, count, words,
                              [](int n, char** given) { return run(parse(n, given)); });
}
