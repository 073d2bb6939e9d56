// SPDX-License-Identifier: MIT
// What the catalogue does not reach in the Hopper family: other inputs and maps under per-key decays, other numbers of
// stages, rows that are no multiples of 16 bytes.
#include <optional>

#include "runtime/backend.hpp"
#include "runtime/call.hpp"
#include "runtime/convert.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/loads.hpp"

namespace rankone::test {
namespace {

// A map that is infinite at zero, which is what columns beyond K hold.
constexpr Variant logs =
    variant("logs").feature_map(log(element())).decay(per_key(log_sigmoid(input("x")) / 16)).checked();
// Inputs of one number a token beside those of one for each key.
constexpr Variant scaled = variant("scaled")
                               .decay(per_key(log_sigmoid(input("x") + param("bias"))))
                               .write_scale(sigmoid(input("b")))
                               .checked();
constexpr Variant shared_gate = variant("shared_gate").decay(per_head(log_sigmoid(input("x", head_axis)))).checked();

struct Corner {
  const char* name;
  const Variant* variant;
  CompileOptions options;
  friend void PrintTo(const Corner& corner, std::ostream* out) { *out << corner.name; }
};
CompileOptions sizes(int key_dim, int value_dim) {
  return {.key_dim = key_dim, .value_dim = value_dim, .pins = {.family = Family::hopper, .chunk = 32}};
}
CompileOptions with_f32_gates(const char* input) {
  CompileOptions options = sizes(64, 64);
  options.input_types = {{input, dtype::f32}};
  return options;
}
CompileOptions with_stages(int stages) {
  CompileOptions options = sizes(64, 64);
  options.pins.stages = stages;
  return options;
}
CompileOptions in_clusters(const char* f32_input = nullptr) {
  CompileOptions options = sizes(128, 128);
  options.pins.value_tile = 64;
  options.pins.cluster = 2;
  if (f32_input != nullptr) options.input_types = {{f32_input, dtype::f32}};
  return options;
}
CompileOptions prepared(const char* f32_input = nullptr) {
  CompileOptions options = sizes(80, 96);
  options.pins.prepared = true;
  if (f32_input != nullptr) options.input_types = {{f32_input, dtype::f32}};
  return options;
}
const Corner corners[] = {{"map_infinite_at_zero", &logs, sizes(80, 64)},
                          {"token_input_under_key_decays", &scaled, sizes(80, 96)},
                          {"f32_key_gates", &variants::gla_sigmoid, with_f32_gates("x")},
                          {"f32_token_gates", &variants::simple_gla, with_f32_gates("g")},
                          {"gates_of_key_heads", &shared_gate, sizes(64, 64)},
                          {"two_stages_token", &variants::simple_gla, with_stages(2)},
                          {"two_stages_key", &scaled, with_stages(2)},
                          {"six_stages", &variants::simple_gla, with_stages(6)},
                          {"many_keys", &variants::gla, sizes(256, 64)},
                          {"cluster_with_token_input", &scaled, in_clusters()},
                          {"cluster_with_f32_key_gates", &variants::gla_sigmoid, in_clusters("x")},
                          {"cluster_with_map", &logs, in_clusters()},
                          {"prepared_with_token_input", &scaled, prepared()},
                          {"prepared_with_f32_key_gates", &variants::gla_sigmoid, prepared("x")},
                          {"prepared_with_map", &logs, prepared()}};

class HopperCorner : public testing::TestWithParam<Corner> {};

void expect_right_under_all_seeds(const Corner& corner, const CompileOptions& options) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const bool packed = seed % 4 == 0;
    Problem problem = random_problem(*corner.variant, options,
                                     {.batch = packed ? 1 : 2,
                                      .tokens = 75 + static_cast<std::int64_t>(seed) * 11,
                                      .heads = 1,
                                      .value_heads = 2,
                                      .key_dim = options.key_dim,
                                      .value_dim = options.value_dim,
                                      .sequences = packed ? 1 : 2},
                                     {.seed = seed, .packed = packed});
    // With odd seeds a block walks all items, one after the other; seeds 3 and 6 are without tensor maps.
    const EmulationOptions emulation{
        .seed = seed, .multiprocessors = seed % 2 == 1 ? 1 : 0, .maps_tensors = seed % 3 != 0};
    expect_right(compile(*corner.variant, options, cpu_device(emulation)), problem,
                 std::string(corner.name) + " seed " + std::to_string(seed));
  }
}

TEST_P(HopperCorner, AgreesWithTheRecurrence) { expect_right_under_all_seeds(GetParam(), GetParam().options); }

TEST_P(HopperCorner, AgreesInFloat16) {
  CompileOptions options = GetParam().options;
  options.dtype = dtype::f16;
  if (GetParam().variant->has(Formula::feature_map)) GTEST_SKIP() << "a feature map may leave float16's range";
  if (options.pins.cluster.value_or(1) > 1) GTEST_SKIP() << "clusters are bf16's";
  expect_right_under_all_seeds(GetParam(), options);
}

INSTANTIATE_TEST_SUITE_P(Corners, HopperCorner, testing::ValuesIn(corners),
                         [](const auto& info) { return std::string(info.param.name); });

// More packed sequences than the loader has threads, most of them of the same length.
void expect_right_for_many(const Variant& variant, const CompileOptions& options) {
  std::vector<std::int64_t> boundaries = {0};
  for (int i = 0; i < 150; ++i) boundaries.push_back(boundaries.back() + (i % 50 == 7 ? 40 : i % 3));
  Problem problem = random_problem(
      variant, options,
      {.batch = 1, .tokens = boundaries.back(), .heads = 1, .value_heads = 1, .key_dim = 64, .value_dim = 64},
      {.seed = 3, .boundaries = boundaries});
  expect_right(compile(variant, options, cpu_device(3)), problem, "150 sequences");
}
TEST(HopperPacking, ManySequences) { expect_right_for_many(variants::simple_gla, sizes(64, 64)); }
TEST(HopperPacking, ManySequencesPrepared) {
  CompileOptions options = sizes(64, 64);
  options.pins.prepared = true;
  expect_right_for_many(variants::gla, options);
}

TEST(HopperStrides, TensorMapsChangeNothing) {
  for (const bool prepared : {false, true})
    expect_the_same_without_maps(cpu_device(7), variants::gla_sigmoid, "x", prepared);
}

}  // namespace
}  // namespace rankone::test
