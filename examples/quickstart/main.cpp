// SPDX-License-Identifier: MIT
// One declaration all the way: a kernel compiled, run, compared with the oracle, exported.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include <rankone/rankone.hpp>

#include "../support/floats.hpp"

using namespace rankone;

// S_t = Diag(exp g_t) S_{t-1} + k_t^T v_t          o_t = scale * q_t S_t
constexpr auto my_gla = variant("my_gla").decay(per_key(log_sigmoid(input("x") + param("bias")) / 16)).checked();

constexpr std::int64_t T = 200, H = 2, K = 64, V = 64;

// What a bf16 kernel may be off by, relative to the oracle on the same bf16 inputs.
constexpr double bound = 3.2e-3;

std::vector<float> random(std::int64_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(std::size_t(size), 0.0f);
  for (float& value : values)  // uniform in [-2, 2), exact in bf16, and the same on every platform
    value = support::from_bf16(support::to_bf16(float(generator()) / 1073741824.0f - 2.0f));
  return values;
}

int run(const std::string& device_name, const std::string& folder) {
  const auto device = Device::named(device_name);
  const auto op = compile(my_gla, {.key_dim = int(K), .value_dim = int(V), .dtype = dtype::bf16}, device);
  std::printf("compiled for   %s, %s\nschedule       %s\n", device.name().c_str(), device.arch().c_str(),
              op.schedule().c_str());

  const auto q = random(T * H * K, 1), k = random(T * H * K, 2), v = random(T * H * V, 3), x = random(T * H * K, 4);
  const auto bias = random(H * K, 5);
  const auto there = [&](const std::vector<float>& values, dtype type = dtype::bf16) {
    return support::upload(device, values, type);
  };
  const auto q_there = there(q), k_there = there(k), v_there = there(v), x_there = there(x);
  const auto bias_there = there(bias, dtype::f32);
  const Buffer o_there(device, v_there.size());
  const Buffer workspace(device, op.workspace_bytes({.batch = 1, .tokens = T, .heads = H}));

  const auto tensor = [](const Buffer& buffer, std::int64_t dim) { return buffer.tensor(dtype::bf16, {1, T, H, dim}); };
  op.forward({.q = tensor(q_there, K),
              .k = tensor(k_there, K),
              .v = tensor(v_there, V),
              .inputs = {{"x", tensor(x_there, K)}, {"bias", bias_there.tensor(dtype::f32, {H, K})}},
              .o = tensor(o_there, V),
              .workspace = workspace.bytes()});
  const auto o = support::download(o_there, dtype::bf16);

  // The same call, on the host and in float64, token by token.
  const auto here = [](const std::vector<float>& values, std::int64_t dim) {
    return Tensor::of(values.data(), {1, T, H, dim});
  };
  const auto expected = oracle(my_gla, {.q = here(q, K),
                                        .k = here(k, K),
                                        .v = here(v, V),
                                        .inputs = {{"x", here(x, K)}, {"bias", Tensor::of(bias.data(), {H, K})}}});
  const auto comparison = compare(here(o, V), expected.o.view(), bound);
  std::printf("relative error %.1e against the float64 oracle (bound %.1e)%s\n", comparison.relative_error, bound,
              comparison.ok ? "" : "  WRONG");

  const auto files = export_kernel(op, folder);
  std::printf("exported       %s\n", files.source.c_str());
  if (!files.cubin.empty()) std::printf("               %s\n", files.cubin.c_str());
  std::printf("               %s\n", files.manifest.c_str());
  return comparison.ok ? 0 : 1;
}

int main(int count, char** words) {
  std::string device = "auto", folder = "out";
  for (int i = 1; i < count; i += 2) {
    const std::string name = words[i];
    if (i + 1 == count || (name != "--device" && name != "-o")) {
      std::fprintf(stderr, "quickstart: %s; given %s; accepted: --device auto|cpu|cuda[:N], -o FOLDER\n",
                   i + 1 == count ? "an option without a value" : "an unknown option", words[i]);
      return 2;
    }
    (name == "-o" ? folder : device) = words[i + 1];
  }
  try {
    return run(device, folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quickstart: %s\n", error.what());
    return 2;
  }
}
