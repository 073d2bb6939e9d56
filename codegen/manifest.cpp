// SPDX-License-Identifier: MIT
// Manifests of emitted kernels.
#include "codegen/manifest.hpp"

#include <cmath>
#include <cstddef>

#include <nlohmann/json.hpp>

#include <rankone/dsl/describe.hpp>
#include <rankone/version.hpp>

#include "codegen/names.hpp"
#include "codegen/schedule_json.hpp"
#include "codegen/space.hpp"
#include "codegen/variant_json.hpp"
#include "templates/device/arguments.cuh"
#include "templates/hopper/layout.cuh"

namespace rankone {
namespace {

using json = nlohmann::ordered_json;

constexpr int schema = 1;

const char* precision_name(Precision precision) { return precision == Precision::f32 ? "f32" : "tf32"; }

const char* role_name(KernelRole role) {
  switch (role) {
    case KernelRole::scan: return "forward";
    case KernelRole::states: return "states";
    case KernelRole::output: return "output";
    case KernelRole::join: return "join";
    case KernelRole::prepare: return "prepare";
    case KernelRole::combine: return "combine";
  }
  return "";
}

// The formulas of codegen/geometry.cpp, for readers.
std::string blocks_text(const Program& program, KernelRole role) {
  const std::string tiles = std::to_string(program.value_tiles);
  if (role == KernelRole::combine) return "N * HV";
  if (role == KernelRole::prepare) return "runs * HV";
  if (program.schedule.level == Level::segment && program.pass == Pass::forward) {
    const int elements = program.options.key_dim * program.options.value_dim, per_block = 4 * join_threads;
    if (role == KernelRole::join) return "N * HV * " + std::to_string((elements + per_block - 1) / per_block);
    return "segments * HV * " + tiles;
  }
  return (role == KernelRole::output ? "slots * HV * " : "N * HV * ") + tiles;
}

json kernels_json(const Program& program) {
  json list = json::array();
  for (const Kernel& kernel : program.kernels)
    list.push_back({{"entry", kernel.entry},
                    {"role", role_name(kernel.role)},
                    {"threads", kernel.threads},
                    {"shared_bytes", kernel.shared_bytes},
                    {"cluster", kernel.cluster},
                    {"blocks", blocks_text(program, kernel.role)}});
  return list;
}

json port_json(const Port& port) {
  json result{{"name", port.name},
              {"role", name_in(role_names, port.role)},
              {"axes", names_of(port.axes)},
              {"dtype", name_of(port.type)}};
  if (port.optional) result["optional"] = true;
  return result;
}

json names_json(const Program& program, PortRole role) {
  json list = json::array();
  for (const Port& port : ports_of(program.ports, role)) list.push_back(port.name);
  return list;
}

#define RANKONE_FIELD(member, type)                                                                                    \
  json {                                                                                                               \
    {"name", #member}, {"offset", offsetof(Arguments, member)}, {"bytes", sizeof(Arguments::member)}, { "type", type } \
  }

// Of q, k, v and the inputs, in the order of their bits.
std::string map_text(const Program& program) {
  if (!program.uses_tma) return "not read";
  return "a CUtensorMap of q, k, v or an input with K, read where its bit from first_tensor_is_mapped on is set, and "
         "never needed: 4 dimensions, columns, tokens, heads and batch, with the tensor's strides; a box of 128 bytes "
         "of columns, " +
         std::to_string(program.schedule.chunk) +
         " tokens, 1 head and 1 row of the batch; no interleave, SWIZZLE_128B, out of bounds zero";
}

json arguments_json(const Program& program) {
  json fields = {RANKONE_FIELD(query, "tensor"),
                 RANKONE_FIELD(key, "tensor"),
                 RANKONE_FIELD(value, "tensor"),
                 RANKONE_FIELD(output, "tensor"),
                 RANKONE_FIELD(inputs, "tensor[6]"),
                 RANKONE_FIELD(parameters, "pointer[8]"),
                 RANKONE_FIELD(scalars, "float[8]"),
                 RANKONE_FIELD(initial_state, "pointer"),
                 RANKONE_FIELD(final_state, "pointer"),
                 RANKONE_FIELD(chunk_states, "pointer"),
                 RANKONE_FIELD(log_decay_total, "pointer"),
                 RANKONE_FIELD(cu_seqlens, "pointer"),
                 RANKONE_FIELD(tokens, "int64"),
                 RANKONE_FIELD(sequences, "int64"),
                 RANKONE_FIELD(segment_tokens, "int64"),
                 RANKONE_FIELD(segment_decays, "pointer"),
                 RANKONE_FIELD(heads, "int32"),
                 RANKONE_FIELD(value_heads, "int32"),
                 RANKONE_FIELD(scale, "float"),
                 RANKONE_FIELD(flags, "uint32"),
                 RANKONE_FIELD(maps, "tensor_map[9]")};
  return {{"passing", "one struct by value"},
          {"bytes", sizeof(Arguments)},
          {"alignment", alignof(Arguments)},
          {"fields", std::move(fields)},
          {"tensor", "pointer, then int64 strides of batch, token and head in elements"},
          {"tensor_map", map_text(program)},
          {"inputs", names_json(program, PortRole::gate)},
          {"parameters", names_json(program, PortRole::parameter)},
          {"scalars", program.scalars},
          {"flags",
           {{"cu_seqlens_are_64_bit", static_cast<unsigned>(cu_seqlens_are_64_bit)},
            {"query_is_vectorized", static_cast<unsigned>(query_is_vectorized)},
            {"key_is_vectorized", static_cast<unsigned>(key_is_vectorized)},
            {"value_is_vectorized", static_cast<unsigned>(value_is_vectorized)},
            {"output_is_vectorized", static_cast<unsigned>(output_is_vectorized)},
            {"first_input_is_vectorized", static_cast<unsigned>(first_input_is_vectorized)},
            {"first_tensor_is_mapped", static_cast<unsigned>(first_tensor_is_mapped)}}}};
}

#undef RANKONE_FIELD

static_assert(sizeof(TensorArgument) == 32 && max_inputs == 6 && max_parameters == 8 && max_scalars == 8 &&
              max_maps == 9);
static_assert(sizeof(Arguments) <= 4096, "what a kernel's parameters may have");

json launch_json(const Program& program) {
  const std::string chunk = std::to_string(program.schedule.chunk);
  json launch{{"grid", "one-dimensional, `blocks` of the kernel"},
              {"order", program.pass == Pass::forward ? "all kernels, as listed" : "each kernel on its own"},
              {"slots", "ceil(T / " + chunk + ") * B, or ceil(T / " + chunk + ") + N with cu_seqlens"}};
  if (program.schedule.level == Level::chunk && program.pass == Pass::forward) {
    const int bytes = program.value_tiles * program.schedule.value_tile * program.key_padded * program.operand_bytes;
    launch["workspace_bytes"] = "slots * HV * " + std::to_string(bytes) + ", at chunk_states, 16-byte aligned";
  } else if (program.schedule.level == Level::segment && program.pass == Pass::forward) {
    const int state = 4 * program.options.key_dim * program.options.value_dim;
    const int decay = 4 * (program.variant.decay_axes().has(Axes::key) ? program.options.key_dim : 1);
    launch["segment_tokens"] = "a multiple of " + chunk +
                               " and at least twice that, the same for all kernels; or 0, which walks sequences " +
                               "whole: then states and join are left out";
    launch["segments"] = "ceil(T / segment_tokens) * B, or ceil(T / segment_tokens) + N with cu_seqlens; N if it is 0";
    launch["workspace_bytes"] = "segments * HV * " + std::to_string(state + decay) +
                                ", 16-byte aligned: at chunk_states " + "segments * HV * " + std::to_string(state) +
                                ", behind them segment_decays; 0 if not split";
  } else if (program.schedule.prepared) {
    launch["segment_tokens"] = "a multiple of " + chunk + ", best " + std::to_string(segment_tokens(program, {}));
    launch["runs"] = "ceil(T / segment_tokens) * B, or ceil(T / segment_tokens) + N with cu_seqlens";
    launch["workspace_bytes"] =
        "slots * HV * " +
        std::to_string(
            hopper_layout(program.variant, program.options, program.schedule, KernelRole::prepare).prepared_bytes) +
        ", at chunk_states, 16-byte aligned";
  } else {
    launch["workspace_bytes"] = "0";
  }
  if (program.schedule.family == Family::hopper && program.pass == Pass::forward)
    launch["grid"] =
        "one-dimensional, `blocks` of the kernel; forward, states and prepare also run with fewer, a multiple "
        "of `cluster`, which walk the rest";
  return launch;
}

double scale_of(const Program& program) {
  return program.variant.scale_ != 0 ? program.variant.scale_
                                     : 1 / std::sqrt(static_cast<double>(program.options.key_dim));
}

}  // namespace

std::string launch_manifest(const Program& program) {
  return json{{"schema", schema},
              {"rankone", RANKONE_VERSION},
              {"pass", name_in(pass_names, program.pass)},
              {"variant", json::parse(variant_to_json(program.variant))},
              {"K", program.options.key_dim},
              {"V", program.options.value_dim},
              {"dtype", name_of(program.options.dtype)},
              {"schedule", json::parse(schedule_to_json(program.schedule))},
              {"kernels", kernels_json(program)}}
      .dump();
}

std::string manifest_json(const Program& program, const std::string& key) {
  json tensors = json::array();
  for (const Port& port : program.ports) tensors.push_back(port_json(port));
  json result{{"schema", schema},
              {"rankone", RANKONE_VERSION},
              {"name", program.variant.name.view()},
              {"pass", name_in(pass_names, program.pass)},
              {"recurrence", describe(program.variant)},
              {"variant", json::parse(variant_to_json(program.variant))},
              {"arch", program.arch},
              {"K", program.options.key_dim},
              {"V", program.options.value_dim},
              {"dtype", name_of(program.options.dtype)},
              {"precision", precision_name(program.options.precision)},
              {"default_scale", scale_of(program)},
              {"schedule", json::parse(schedule_to_json(program.schedule))},
              {"kernels", kernels_json(program)},
              {"launch", launch_json(program)},
              {"arguments", arguments_json(program)},
              {"tensors", std::move(tensors)}};
  if (!key.empty()) result["key"] = key;
  return result.dump(2) + "\n";
}

}  // namespace rankone
