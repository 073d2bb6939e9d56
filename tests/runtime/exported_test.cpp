// SPDX-License-Identifier: MIT
// Exports come back as operators: on the CPU device by their text, on a GPU by their cubin; whatever does not fit is
// refused by one sentence.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <utility>
#include <vector>

#include <rankone/rankone.hpp>

#include "codegen/choose.hpp"
#include "codegen/manifest.hpp"
#include "proof/verify.hpp"
#include "runtime/cache/hash.hpp"
#include "tests/runtime/recorder.hpp"
#include "tests/runtime/scratch.hpp"

namespace rankone {
namespace {

constexpr std::int64_t T = 20, K = 16;
constexpr const char* cubin = "stands for machine code";

Program program_of(const Variant& variant, const CompileOptions& options, const char* arch, Pass pass = Pass::forward) {
  const Schedule forward = default_schedule(variant, options, arch);
  return lower(variant, options, schedule_for(pass, variant, options, arch, {forward}), arch, pass);
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}
void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

class Exported : public testing::Test {
 protected:
  const test::ScratchFolder scratch;
  const std::filesystem::path folder = scratch.path();

  // As an export writes it, without a compiler.
  std::filesystem::path put(const Program& program, bool has_cubin = true) {
    ManifestFiles files{.source = program.name + ".cu", .header = program.name + ".h"};
    write(folder / files.source, emit(program));
    if (has_cubin) {
      files.cubin = program.name + ".cubin";
      files.cubin_bytes = std::string(cubin).size();
      files.cubin_hash = hex(digest_of(cubin));
      files.key = "key";
      files.warnings.resize(program.kernels.size());
      write(folder / files.cubin, cubin);
    }
    write(folder / (program.name + ".json"), manifest_json(program, files));
    return folder / (program.name + ".json");
  }
  std::string refusal(const std::filesystem::path& path, ErrorCode code, const Device& device = Device::cpu()) {
    try {
      (void)load_exported(path, device);
      return "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
  }
};

#define EXPECT_SAYS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

TEST_F(Exported, ComesBackAsTheSameOperator) {
  const Operator op = compile(variants::linear, {.key_dim = K, .value_dim = K, .dtype = dtype::f32}, Device::cpu());
  const ExportedFiles files = export_kernel(op, folder);
  for (const std::string& path : {files.manifest, folder.string()}) {
    const Operator again = load_exported(path, Device::cpu());
    EXPECT_EQ(again.source(), op.source());
    EXPECT_TRUE(again.variant() == op.variant());
    EXPECT_SAYS(again.schedule(), "(exported)");
    std::vector<float> x(T * K), o(T * K), expected(T * K);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3;
    const Tensor in = Tensor::of(std::as_const(x).data(), {1, T, 1, K});
    op.forward({.q = in, .k = in, .v = in, .o = Tensor::of(expected.data(), {1, T, 1, K})});
    again.forward({.q = in, .k = in, .v = in, .o = Tensor::of(o.data(), {1, T, 1, K})});
    EXPECT_EQ(o, expected);
  }
}

// What its passes leave each other lies in the workspace, whoever launches them.
TEST_F(Exported, AChainComesBackInEveryPass) {
  const CompileOptions options{.key_dim = 12, .value_dim = 20, .slot_dim = 8, .dtype = dtype::f32};
  for (const Pass pass : {Pass::forward, Pass::backward, Pass::decode})
    put(program_of(variants::abc, options, "sm_80", pass), false);
  const Operator op = load_exported(folder, Device::cpu());
  for (const Pass pass : {Pass::forward, Pass::backward, Pass::decode}) {
    const Dims dims{
        .batch = 2, .tokens = 7, .heads = 1, .value_heads = 2, .key_dim = 12, .value_dim = 20, .slot_dim = 8};
    Problem problem = random_problem(variants::abc, options, dims, {.pass = pass});
    std::vector<HostTensor> reference = reference_outputs(problem);
    for (const TensorError& each : verify(op, problem, reference))
      EXPECT_TRUE(each.ok) << each.name << " is off by " << each.relative_error << ", bound " << each.bound;
  }
}

// Every configuration that is fixed when a kernel is compiled.
TEST_F(Exported, ManifestsSayAllThatAProgramIsMadeOf) {
  CompileOptions plain{.key_dim = 64, .value_dim = 64}, other = plain, pinned = plain, wide = plain;
  other.dtype = dtype::f32, other.precision = Precision::f32, other.state_dtype = dtype::bf16;
  other.value_major_state = true;
  pinned.pins.level = Level::segment;
  for (const char* name : {"linear", "retnet", "mamba2", "gla_sigmoid", "hgrn2", "lightning"})
    for (const CompileOptions& options : {plain, other})
      for (const char* arch : {"sm_80", "sm_90a"})
        for (const Pass pass : {Pass::forward, Pass::states, Pass::combine, Pass::decode}) {
          const Program program = program_of(variant_named(name), options, arch, pass);
          const Program again = read_manifest(manifest_json(program), "test").program;
          EXPECT_EQ(again.name, program.name);
          EXPECT_EQ(emit(again), emit(program)) << program.name;
          EXPECT_EQ(manifest_pass(manifest_json(program)), pass);
        }
  const Program segments = program_of(variants::gla, pinned, "sm_90a");
  EXPECT_EQ(read_manifest(manifest_json(segments), "test").program.schedule, segments.schedule);
  for (const Pass pass : {Pass::forward, Pass::backward, Pass::decode}) {
    const Program chain = program_of(variants::abc, {.key_dim = 64, .value_dim = 64, .slot_dim = 32}, "sm_90a", pass);
    EXPECT_EQ(emit(read_manifest(manifest_json(chain), "test").program), emit(chain)) << chain.name;
  }
  wide.input_types = {{"g", dtype::f32}};
  const Program own_type = program_of(variants::gla, wide, "sm_90a");
  EXPECT_EQ(emit(read_manifest(manifest_json(own_type), "test").program), emit(own_type));
}

TEST_F(Exported, AGpuTakesTheCubinAndCompilesNothing) {
  const auto device = std::make_shared<test::Recorder>();
  const auto manifest = put(program_of(variants::gla, {.key_dim = 64, .value_dim = 64}, "sm_90a"));
  const Operator op = load_exported(manifest, make_device(device));
  EXPECT_EQ(device->cubin, cubin);
  EXPECT_EQ(device->compiled, 0);
  EXPECT_TRUE(op.supports(Pass::states));
  op.prepare_states();
  EXPECT_EQ(device->compiled, 2) << "the folder lacks these passes";
}

TEST_F(Exported, OtherPassesBesideItAreFound) {
  const CompileOptions options{.key_dim = 64, .value_dim = 64};
  for (const Pass pass : {Pass::forward, Pass::states, Pass::combine, Pass::decode})
    put(program_of(variants::gla, options, "sm_90a", pass));
  const auto device = std::make_shared<test::Recorder>();
  const Operator op = load_exported(folder, make_device(device));
  op.prepare_states();
  op.prepare_decode();
  EXPECT_EQ(device->compiled, 0);
}

TEST_F(Exported, FilesThatAreMissing) {
  EXPECT_SAYS(refusal(folder / "none.json", ErrorCode::not_found), "the manifest is missing");
  EXPECT_SAYS(refusal(folder, ErrorCode::not_found), "the folder holds no export of a forward pass");
  const Program program = program_of(variants::linear, {.key_dim = 64, .value_dim = 64}, "sm_90a");
  const auto manifest = put(program);
  std::filesystem::remove(folder / (program.name + ".cu"));
  EXPECT_SAYS(refusal(manifest, ErrorCode::not_found), "the export's source is missing");
  std::filesystem::remove(folder / (program.name + ".cubin"));
  EXPECT_SAYS(refusal(manifest, ErrorCode::not_found), "the export's cubin is missing");
  put(program, false);
  EXPECT_EQ(refusal(manifest, ErrorCode::not_found), "accepted") << "the CPU device needs none";
  EXPECT_SAYS(refusal(manifest, ErrorCode::not_found, make_device(std::make_shared<test::Recorder>())),
              "the export has no cubin");
}

TEST_F(Exported, FilesThatAreNotWhatTheManifestTells) {
  const Program program = program_of(variants::linear, {.key_dim = 64, .value_dim = 64}, "sm_90a");
  const auto manifest = put(program);
  write(folder / (program.name + ".cubin"), "stands for machine codE");
  EXPECT_SAYS(refusal(manifest, ErrorCode::invalid_argument), "the cubin is not the one that the manifest tells of");
  put(program);
  const std::string whole = read(manifest);
  const auto changed = [&](const char* from, const char* to) {
    write(manifest, std::regex_replace(whole, std::regex(from), to));
    EXPECT_NE(read(manifest), whole) << from;
  };
  for (const auto& [from, to] : {std::pair{"\"threads\": [0-9]+", "\"threads\": 7"},
                                 {"\"offset\": 40", "\"offset\": 48"},
                                 {"\"K\": 64", "\"K\": 32"},
                                 {"\"bf16\"", "\"bf17\""},
                                 {"\"tf32\"", "\"tf64\""}}) {
    changed(from, to);
    EXPECT_SAYS(refusal(manifest, ErrorCode::invalid_argument),
                "does not describe kernels as this library launches them");
  }
  changed("\"rankone\": \"[^\"]*\"", "\"rankone\": \"9.9.9\"");
  EXPECT_SAYS(refusal(manifest, ErrorCode::unsupported), "written by another version of Rankone; given 9.9.9");
  changed("\"kernels\"", "\"cernels\"");
  EXPECT_SAYS(refusal(manifest, ErrorCode::invalid_argument), "a member of the manifest is missing or ill-typed");
  write(manifest, "[]");
  EXPECT_SAYS(refusal(manifest, ErrorCode::invalid_argument), "this is no manifest of an export");
  write(manifest, whole.substr(0, whole.size() / 2));
  EXPECT_NE(refusal(manifest, ErrorCode::invalid_argument), "accepted");
}

TEST_F(Exported, WhichOneIsMeant) {
  const CompileOptions options{.key_dim = 64, .value_dim = 64};
  const auto states = put(program_of(variants::linear, options, "sm_90a", Pass::states));
  EXPECT_SAYS(refusal(states, ErrorCode::invalid_argument), "an operator is loaded by its forward pass");
  const auto hopper = put(program_of(variants::linear, options, "sm_90a"));
  write(folder / "notes.json", "{\"pass\": 1}");
  EXPECT_EQ(refusal(folder, ErrorCode::invalid_argument), "accepted");
  const auto ampere = put(program_of(variants::linear, options, "sm_80"));
  EXPECT_SAYS(refusal(folder, ErrorCode::invalid_argument), "the folder holds several exports");
  const auto device = std::make_shared<test::Recorder>();
  device->own_arch = "sm_80";
  EXPECT_SAYS(refusal(hopper, ErrorCode::unsupported, make_device(device)), "does not run on the device");
  EXPECT_EQ(refusal(ampere, ErrorCode::unsupported, make_device(device)), "accepted");
}

}  // namespace
}  // namespace rankone
