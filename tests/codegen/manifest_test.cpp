// SPDX-License-Identifier: MIT
// Manifests: what a loader without this library needs, checked against the structs it describes.
#include "codegen/manifest.hpp"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include <rankone/variant_json.hpp>

#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

using nlohmann::json;

void expect_no_gaps(const Program& program) {
  const json manifest = json::parse(manifest_json(program));
  const json& arguments = manifest.at("arguments");
  std::size_t end = 0;
  for (const json& field : arguments.at("fields")) {
    if (field.at("type") == "tensor_map") end = (end + 127) / 128 * 128;  // as the driver wants them
    EXPECT_EQ(field.at("offset"), end) << field;
    EXPECT_FALSE(field.at("about").get<std::string>().empty()) << field;
    EXPECT_EQ(field.contains("may_be_null"), field.at("type") == "pointer") << field;
    end = field.at("offset").get<std::size_t>() + field.at("bytes").get<std::size_t>();
  }
  EXPECT_EQ(arguments.at("bytes"), end);
  EXPECT_EQ(arguments.at("alignment"), program.map_slots != 0 ? 128 : 8);
  EXPECT_EQ(arguments.at("fields").back().at("name"), program.map_slots != 0 ? "maps" : "ports");
  ASSERT_EQ(arguments.at("ports").size(), program.ports.size());
  for (std::size_t i = 0; i < program.ports.size(); ++i) {
    EXPECT_EQ(arguments["ports"][i].at("name"), program.ports[i].name);
    EXPECT_EQ(arguments["ports"][i].at("index"), program.ports[i].slot);
  }
}

TEST(Manifest, DescribesTheArgumentStructWithoutGaps) {
  for (const Pass pass : {Pass::forward, Pass::states, Pass::combine, Pass::decode})
    expect_no_gaps(program_of(variants::gla, {.key_dim = 64, .value_dim = 64}, "sm_90a", pass));
  for (const Family family : {Family::portable, Family::hopper}) {
    const Program program =
        program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64, .pins = {.family = family, .chunk = 32}});
    EXPECT_EQ(program.map_slots != 0, family == Family::hopper);
    expect_no_gaps(program);
  }
}

json field_of(const json& manifest, const char* name) {
  for (const json& field : manifest.at("arguments").at("fields"))
    if (field.at("name") == name) return field;
  return {};
}
json port_of(const json& manifest, const char* name) {
  for (const json& port : manifest.at("arguments").at("ports"))
    if (port.at("name") == name) return port;
  return {};
}

TEST(Manifest, SaysAllThatThePortsSay) {
  const Variant turned = variant("turned").decay(per_head(-step(position() - 3) + input("g")));
  const CompileOptions options{.key_dim = 64, .value_dim = 64};
  const Program program = lower(turned, options, default_schedule(turned, options, "sm_80"), "sm_80");
  const json tensors = json::parse(manifest_json(program)).at("tensors");
  ASSERT_EQ(tensors.size(), program.ports.size());
  for (const json& tensor : tensors) {
    const Port& port = *find_port(program.ports, tensor.at("name").get<std::string>());
    EXPECT_EQ(tensor.at("optional"), port.optional);
    EXPECT_EQ(tensor.at("written"), port.writable);
    EXPECT_EQ(tensor.at("contiguous"), port.contiguous);
    EXPECT_EQ(tensor.at("fast_alignment"), port.alignment);
    EXPECT_EQ(tensor.contains("dtypes"), port.name == "cu_seqlens");
    EXPECT_EQ(tensor.value("needs", ""), port.name == "initial_state" ? "start_positions" : "");
  }
}

TEST(Manifest, SaysWhatTensorMapsAre) {
  const auto maps_of = [](const CompileOptions& options, const Variant& variant = variants::gla_sigmoid) {
    return field_of(json::parse(manifest_json(program_of(variant, options))), "maps");
  };
  const json maps = maps_of({.key_dim = 64, .value_dim = 64, .pins = {.family = Family::hopper, .chunk = 32}});
  ASSERT_TRUE(maps.contains("about"));
  EXPECT_TRUE(holds(maps["about"].get<std::string>(), " 32 tokens, "));
  EXPECT_EQ(maps["count"], 4) << "of q, k, v and x";
  EXPECT_TRUE(maps_of({.key_dim = 64, .value_dim = 64, .pins = {.family = Family::portable}}).is_null());
  EXPECT_TRUE(maps_of({.key_dim = 64, .value_dim = 64, .pins = {.family = Family::hopper}}, variants::gla).is_null());
}

TEST(Manifest, SaysWhatEachFieldMeans) {
  const auto options = CompileOptions{.key_dim = 64, .value_dim = 64};
  const json forward = json::parse(manifest_json(program_of(variants::mamba2, options)));
  EXPECT_EQ(port_of(forward, "dt").at("index"), 3);
  EXPECT_EQ(port_of(forward, "A_log").at("index"), 4);
  EXPECT_EQ(port_of(forward, "A_log").at("about"), "[HV] f32, contiguous");
  EXPECT_EQ(port_of(forward, "initial_state").at("may_be_null"), true);
  EXPECT_TRUE(port_of(forward, "log_decay_total").is_null());
  EXPECT_TRUE(
      holds(field_of(forward, "vectorized").at("about").get<std::string>(), "strides in bytes are multiples of 16"));
  const json combine = json::parse(manifest_json(program_of(variants::mamba2, options, "sm_90a", Pass::combine)));
  EXPECT_EQ(port_of(combine, "initial_state").at("may_be_null"), false);
  EXPECT_TRUE(port_of(combine, "k").is_null());
}

// Each region is told by one pointer, or by one of the ports, and no other.
TEST(Manifest, SaysWhichRegionEachAddressIsOf) {
  const CompileOptions options{.key_dim = 64, .value_dim = 64, .slot_dim = 32};
  for (const Pass pass : {Pass::forward, Pass::backward, Pass::decode}) {
    const json manifest = json::parse(manifest_json(program_of(variants::abc, options, "sm_90a", pass)));
    std::multiset<std::string> told, regions;
    for (const char* list : {"fields", "ports"})
      for (const json& row : manifest.at("arguments").at(list))
        if (row.contains("region")) told.insert(row.at("region").get<std::string>());
    for (const json& region : manifest.at("workspace").at("regions"))
      regions.insert(region.at("name").get<std::string>());
    EXPECT_EQ(told, regions);
    for (const std::string name : {"passed", "dpassed"}) {
      const json port = port_of(manifest, name.c_str());
      ASSERT_EQ(port.is_null(), name == "dpassed" && pass != Pass::backward);
      if (port.is_null()) continue;
      EXPECT_EQ(port.at("region"), name);
      EXPECT_EQ(port.at("axes").size(), 4u);
      EXPECT_EQ(port.at("axes").back(), "M");
      EXPECT_EQ(port.at("dtype"), "f32");
    }
    EXPECT_EQ(field_of(manifest, "token_slopes").value("region", ""), pass == Pass::backward ? "token_slopes" : "");
  }
}

TEST(Manifest, NamesTheFilesBesideIt) {
  const Program program = program_of(variants::gla, {.key_dim = 64, .value_dim = 64});
  const json with = json::parse(manifest_json(
      program,
      {.source = "a.cu", .header = "a.h", .cubin = "a.cubin", .cubin_bytes = 7, .cubin_hash = "ff", .key = "k"}));
  EXPECT_EQ(with.at("source"), "a.cu");
  EXPECT_EQ(with.at("header"), "a.h");
  EXPECT_EQ(with.at("cubin"), (json{{"file", "a.cubin"}, {"bytes", 7}, {"xxh3_128", "ff"}, {"key", "k"}}));
  EXPECT_TRUE(json::parse(manifest_json(program)).at("cubin").is_null());
}

TEST(Manifest, ListsKernels) {
  const Program program =
      program_of(variants::mamba2, {.key_dim = 64, .value_dim = 64, .pins = {.level = Level::chunk}});
  const json manifest = json::parse(manifest_json(program));
  EXPECT_EQ(manifest.at("name"), program.name);
  ASSERT_EQ(manifest.at("kernels").size(), program.kernels.size());
  for (std::size_t i = 0; i < program.kernels.size(); ++i) {
    const json& kernel = manifest["kernels"][i];
    EXPECT_EQ(kernel["entry"], program.kernels[i].entry);
    EXPECT_EQ(kernel["threads"], program.kernels[i].threads);
    EXPECT_EQ(kernel["shared_bytes"], program.kernels[i].shared_bytes);
    EXPECT_EQ(kernel["blocks"].dump(), json::parse(program.kernels[i].blocks.json()).dump());
  }
  EXPECT_EQ(manifest["pass"], "forward");
  EXPECT_EQ(manifest["default_scale"], 1.0);
  EXPECT_EQ(manifest["arch"], "sm_90a");
  EXPECT_EQ(manifest["dtype"], "bf16");
  EXPECT_EQ(manifest["precision"], "tf32");
}

TEST(Manifest, SaysWhatTheWorkspaceHolds) {
  const auto regions_of = [](const CompileOptions& options) {
    const json manifest = json::parse(manifest_json(program_of(variants::gla, options)));
    std::vector<std::string> names;
    for (const json& region : manifest.at("workspace").at("regions")) {
      EXPECT_FALSE(region.at("holds").get<std::string>().empty());
      names.push_back(region.at("name"));
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(regions_of({.key_dim = 64, .value_dim = 128, .pins = {.level = Level::serial}}), Names{});
  EXPECT_EQ(regions_of({.key_dim = 64, .value_dim = 128, .pins = {.level = Level::chunk}}), Names{"chunk_states"});
  EXPECT_EQ(regions_of({.key_dim = 64, .value_dim = 128, .pins = {.level = Level::segment}}),
            (Names{"segment_states", "segment_decays"}));
  EXPECT_EQ(regions_of({.key_dim = 256, .value_dim = 512, .pins = {.prepared = true}}), Names{"prepared_chunks"});
}

TEST(Manifest, SaysHowSegmentsAreLaunched) {
  const Program program =
      program_of(variants::gla, {.key_dim = 64, .value_dim = 128, .pins = {.level = Level::segment}});
  const json manifest = json::parse(manifest_json(program));
  EXPECT_EQ(manifest.at("launch").at("segment_tokens"), "segment_tokens");
  EXPECT_TRUE(manifest.at("sizes").at("definitions").contains("segment_tokens"));
  const Sizes64 sizes = sizes_of({.batch = 1, .tokens = 8192, .heads = 2, .value_heads = 2}, 132);
  const std::int64_t segment = program.segment_tokens.evaluate(sizes), segments = (8192 + segment - 1) / segment;
  ASSERT_GT(segments, 1);
  EXPECT_EQ(segment % program.schedule.chunk, 0);
  EXPECT_EQ(workspace_of(program).evaluate(sizes), segments * 2 * (4 * 64 * 128 + 4 * 64));
  EXPECT_EQ(program.kernels.back().items.evaluate(sizes), segments * 2);
}

TEST(Manifest, HasAVariantThatReadsBack) {
  for (const Variant& variant : catalogue()) {
    const json manifest =
        json::parse(manifest_json(program_of(variant, usual_options(variant, {.key_dim = 64, .value_dim = 64}))));
    EXPECT_EQ(variant_to_json(variant_from_json(manifest["variant"].dump())), variant_to_json(variant));
  }
}

TEST(Manifest, TravelsInsideTheText) {
  const Program program = program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64});
  const std::string text = emit(program),
                    begin = "extern \"C\" __constant__ char " + program.name + "_manifest[] =\n    \"";
  ASSERT_TRUE(holds(text, begin));
  const std::size_t at = text.find(begin) + begin.size();
  std::string literal = text.substr(at, text.rfind("\";\n") - at), plain;
  for (std::size_t i = 0; i < literal.size(); ++i) plain += literal[i] == '\\' ? literal[++i] : literal[i];
  EXPECT_EQ(plain, launch_manifest(program));
  const json manifest = json::parse(plain);
  EXPECT_EQ(manifest["kernels"][0]["entry"], program.kernels[0].entry);
  EXPECT_FALSE(holds(plain, "sm_"));
}

}  // namespace
}  // namespace rankone
