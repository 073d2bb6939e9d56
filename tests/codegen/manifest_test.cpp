// SPDX-License-Identifier: MIT
// Manifests: what a loader without this library needs, checked against the structs it describes.
#include "codegen/manifest.hpp"

#include <cstddef>
#include <nlohmann/json.hpp>

#include "codegen/variant_json.hpp"
#include "templates/device/arguments.cuh"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

using nlohmann::json;

TEST(Manifest, DescribesTheArgumentStructWithoutGaps) {
  const json manifest = json::parse(manifest_json(program_of(variants::gla, {.key_dim = 64, .value_dim = 64}), "abc"));
  EXPECT_EQ(manifest.at("key"), "abc");
  const json& arguments = manifest.at("arguments");
  std::size_t end = 0;
  for (const json& field : arguments.at("fields")) {
    if (field.at("name") == "maps") end = (end + 63) / 64 * 64;  // as the driver wants them
    EXPECT_EQ(field.at("offset"), end) << field;
    end = field.at("offset").get<std::size_t>() + field.at("bytes").get<std::size_t>();
  }
  EXPECT_EQ(end, sizeof(Arguments));
  EXPECT_EQ(arguments.at("bytes"), sizeof(Arguments));
  EXPECT_EQ(arguments.at("fields").back().at("offset"), offsetof(Arguments, maps));
}

TEST(Manifest, SaysWhatTensorMapsAre) {
  const auto text_of = [](const CompileOptions& options, const Variant& variant = variants::gla_sigmoid) {
    const json manifest = json::parse(manifest_json(program_of(variant, options)));
    return manifest.at("arguments").at("tensor_map").get<std::string>();
  };
  EXPECT_TRUE(holds(text_of({.key_dim = 64, .value_dim = 64, .pins = {.family = Family::hopper, .chunk = 32}}),
                    " 32 tokens, "));
  EXPECT_EQ(text_of({.key_dim = 64, .value_dim = 64, .pins = {.family = Family::portable}}), "not read");
  EXPECT_EQ(text_of({.key_dim = 64, .value_dim = 64, .pins = {.family = Family::hopper}}, variants::gla), "not read");
}

TEST(Manifest, ListsKernelsAndInputs) {
  const Program program =
      program_of(variants::mamba2, {.key_dim = 64, .value_dim = 64, .pins = {.level = Level::chunk}});
  const json manifest = json::parse(manifest_json(program));
  ASSERT_EQ(manifest.at("kernels").size(), program.kernels.size());
  for (std::size_t i = 0; i < program.kernels.size(); ++i) {
    EXPECT_EQ(manifest["kernels"][i]["entry"], program.kernels[i].entry);
    EXPECT_EQ(manifest["kernels"][i]["threads"], program.kernels[i].threads);
    EXPECT_EQ(manifest["kernels"][i]["shared_bytes"], program.kernels[i].shared_bytes);
  }
  EXPECT_EQ(manifest["pass"], "forward");
  EXPECT_TRUE(holds(manifest["launch"]["workspace_bytes"].get<std::string>(), "slots * HV * "));
  EXPECT_EQ(manifest["arguments"]["inputs"], json{"dt"});
  EXPECT_EQ(manifest["arguments"]["parameters"], (json{"A_log", "dt_bias"}));
  EXPECT_EQ(manifest["default_scale"], 1.0);
  EXPECT_FALSE(manifest.contains("key"));
  EXPECT_EQ(manifest["arch"], "sm_90a");
  EXPECT_EQ(manifest["dtype"], "bf16");
  EXPECT_EQ(manifest["precision"], "tf32");
}

TEST(Manifest, SaysHowSegmentsAreLaunched) {
  const Program program =
      program_of(variants::gla, {.key_dim = 64, .value_dim = 128, .pins = {.level = Level::segment}});
  const json manifest = json::parse(manifest_json(program));
  const json& launch = manifest.at("launch");
  for (const json& kernel : manifest.at("kernels"))
    EXPECT_EQ(kernel.at("blocks"), kernel.at("role") == "join" ? "N * HV * 8" : "segments * HV * 1") << kernel;
  EXPECT_TRUE(holds(launch.at("workspace_bytes").get<std::string>(),
                    "segments * HV * " + std::to_string(4 * 64 * 128 + 4 * 64)));
  EXPECT_TRUE(
      holds(launch.at("segment_tokens").get<std::string>(), "a multiple of " + std::to_string(program.schedule.chunk)));
  EXPECT_TRUE(launch.contains("segments"));
  // What the library itself takes agrees.
  const Shape shape{.batch = 1, .tokens = 8192, .heads = 2, .value_heads = 2};
  const std::int64_t segment = segment_tokens(program, shape), segments = (8192 + segment - 1) / segment;
  ASSERT_GT(segments, 1);
  EXPECT_EQ(workspace_bytes(program, shape), static_cast<std::size_t>(segments * 2 * (4 * 64 * 128 + 4 * 64)));
  EXPECT_EQ(block_count(program, program.kernels.back(), shape), segments * 2);
}

TEST(Manifest, SaysHowKeysArePrepared) {
  const Program program = program_of(variants::gla, {.key_dim = 256, .value_dim = 512, .pins = {.prepared = true}});
  const json manifest = json::parse(manifest_json(program));
  const json& launch = manifest.at("launch");
  EXPECT_EQ(manifest.at("kernels")[0].at("role"), "prepare");
  EXPECT_EQ(manifest.at("kernels")[0].at("blocks"), "runs * HV");
  EXPECT_EQ(manifest.at("kernels")[1].at("blocks"), "N * HV * 4");
  EXPECT_EQ(manifest.at("schedule").at("prepared"), true);
  EXPECT_TRUE(holds(launch.at("segment_tokens").get<std::string>(), "a multiple of 32"));
  EXPECT_TRUE(launch.contains("runs"));
  const Shape shape{.batch = 1, .tokens = 32, .heads = 1};
  EXPECT_TRUE(holds(launch.at("workspace_bytes").get<std::string>(),
                    "slots * HV * " + std::to_string(workspace_bytes(program, shape)) + ","));
}

TEST(Manifest, HasAVariantThatReadsBack) {
  for (const Variant& variant : catalogue()) {
    const json manifest = json::parse(manifest_json(program_of(variant, {.key_dim = 64, .value_dim = 64})));
    EXPECT_EQ(variant_to_json(variant_from_json(manifest["variant"].dump())), variant_to_json(variant));
  }
}

TEST(Manifest, TravelsInsideTheText) {
  const Program program = program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64});
  const std::string text = emit(program), begin = "extern \"C\" __constant__ char gla_sigmoid_manifest[] =\n    \"";
  ASSERT_TRUE(holds(text, begin));
  const std::size_t at = text.find(begin) + begin.size();
  std::string literal = text.substr(at, text.rfind("\";\n") - at), plain;
  for (std::size_t i = 0; i < literal.size(); ++i) plain += literal[i] == '\\' ? literal[++i] : literal[i];
  EXPECT_EQ(plain, launch_manifest(program));
  const json manifest = json::parse(plain);
  EXPECT_EQ(manifest["kernels"][0]["entry"], "gla_sigmoid_forward");
  EXPECT_FALSE(holds(plain, "sm_"));
}

}  // namespace
}  // namespace rankone
