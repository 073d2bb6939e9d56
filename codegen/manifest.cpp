// SPDX-License-Identifier: MIT
// Manifests of emitted kernels.
#include "codegen/manifest.hpp"

#include <nlohmann/json.hpp>

#include <rankone/dsl/describe.hpp>
#include <rankone/dsl/scale.hpp>
#include <rankone/variant_json.hpp>
#include <rankone/version.hpp>

#include "codegen/argument_fields.hpp"
#include "codegen/chain.hpp"
#include "codegen/names.hpp"
#include "codegen/schedule_json.hpp"

namespace rankone {
namespace {

using json = nlohmann::ordered_json;

constexpr int schema = 2;

json size_json(const Extent& extent) { return json::parse(extent.json()); }

json kernels_json(const Program& program) {
  json list = json::array();
  for (const Kernel& kernel : program.kernels)
    list.push_back({{"name", kernel.name},
                    {"entry", kernel.entry},
                    {"threads", kernel.threads},
                    {"shared_bytes", kernel.shared_bytes},
                    {"cluster", kernel.cluster},
                    {"blocks", size_json(kernel.blocks)},
                    {"items", size_json(kernel.items)}});
  return list;
}

json port_json(const Port& port) {
  json result{{"name", port.name},
              {"role", name_in(role_names, port.role)},
              {"axes", names_of(port.axes)},
              {"dtype", name_of(port.type)},
              {"optional", port.optional},
              {"written", port.writable},
              {"updated", port.updated},
              {"contiguous", port.contiguous},
              {"fast_alignment", port.alignment}};
  if (port.in_slots) result["free_stride"] = name_of(port.axes[0]);
  if (port.rule == TypeRule::integer) result["dtypes"] = names_of(possible_types(port));
  if (!port.needs.empty()) result["needs"] = port.needs;
  return result;
}

json arguments_json(const Program& program) {
  json fields = json::array(), ports = json::array();
  for (const ArgumentField& field : argument_fields(program)) {
    json row{{"name", field.name}, {"offset", field.offset}, {"bytes", field.bytes}, {"type", field.type}};
    if (field.count != 0) row["count"] = field.count;
    row["about"] = field.about;
    if (field.type == "pointer") row["may_be_null"] = field.may_be_null;
    if (!field.region.empty()) row["region"] = field.region;
    fields.push_back(std::move(row));
  }
  for (const ArgumentPort& port : argument_ports(program)) {
    json row{{"name", port.name}, {"index", port.index}, {"about", port.about}, {"may_be_null", port.may_be_null}};
    if (!port.region.empty())
      row.update({{"region", port.region}, {"axes", names_of(port.axes)}, {"dtype", name_of(port.type)}});
    ports.push_back(std::move(row));
  }
  return {{"passing", "one struct by value; what is not read is 0"},
          {"bytes", argument_bytes(program)},
          {"alignment", argument_alignment(program)},
          {"types",
           {{"tensor", "a pointer `data`, then int64 batch_stride, token_stride and head_stride in elements"},
            {"tensor_map", "the 128 bytes of a CUtensorMap"}}},
          {"fields", std::move(fields)},
          {"ports", std::move(ports)}};
}

// Numbers that follow from the sizes of a call are a number, a name, or {operation: operands}.
json sizes_json(const Program& program) {
  json definitions = json::object();
  for (const auto& [name, extent] : definitions_of(program)) definitions[name] = size_json(extent);
  json sizes = {
      {"names",
       {{"B", "rows of the batch"},
        {"T", "tokens of a row"},
        {"N", "sequences; B where they are not packed"},
        {"H", "heads of q and k"},
        {"HV", "heads of v and o"},
        {"packed", "1 with cu_seqlens, else 0"},
        {"multiprocessors", "of the GPU"}}},
      {"operations",
       "integers; add, subtract, multiply; divide rounds down and ceil_div up; min, max; less is 1 or 0; select takes "
       "its second where the first is not 0, else its third, and evaluates only that"},
      {"definitions", std::move(definitions)}};
  if (program.variant.non_causal_) sizes["names"]["Tk"] = "tokens of a row of k and v";
  return sizes;
}

json workspace_json(const Program& program) {
  json regions = json::array();
  for (std::size_t i = 0; i < program.regions.size(); ++i)
    regions.push_back({{"name", program.regions[i].name},
                       {"holds", program.regions[i].holds},
                       {"offset", size_json(offset_of(program, i))},
                       {"bytes", size_json(program.regions[i].bytes)}});
  return {{"bytes", size_json(workspace_of(program))},
          {"alignment", 16},
          {"before", "anything: what a call reads of it, it has written"},
          {"regions", std::move(regions)}};
}

json launch_json(const Program& program) {
  return {{"grid", "`blocks` of the kernel, 1, 1; a kernel with 0 blocks is left out"},
          {"order", "all kernels, as listed, on one stream"},
          {"items", "at most 2^31 - 1; where they are more than the blocks a block walks several"},
          {"segment_tokens", size_json(program.segment_tokens)}};
}

}  // namespace

std::string launch_manifest(const Program& program) {
  json result{{"schema", schema},
              {"rankone", RANKONE_VERSION},
              {"pass", name_in(pass_names, program.pass)},
              {"variant", json::parse(variant_to_json(program.variant))},
              {"K", program.options.key_dim},
              {"V", program.options.value_dim},
              {"dtype", name_of(program.options.dtype)},
              {"schedule", json::parse(schedule_to_json(program.schedule))},
              {"kernels", kernels_json(program)}};
  if (program.variant.chains_) result["M"] = slots_of(program.options);
  if (program.options.state_dtype != dtype::f32) result["state_dtype"] = name_of(program.options.state_dtype);
  return result.dump();
}

std::string manifest_json(const Program& program, const ManifestFiles& files) {
  json tensors = json::array();
  for (const Port& port : program.ports) tensors.push_back(port_json(port));
  json result{{"schema", schema},
              {"rankone", RANKONE_VERSION},
              {"name", program.name},
              {"pass", name_in(pass_names, program.pass)},
              {"recurrence", describe(program.variant)},
              {"variant", json::parse(variant_to_json(program.variant))},
              {"arch", program.arch},
              {"K", program.options.key_dim},
              {"V", program.options.value_dim},
              {"dtype", name_of(program.options.dtype)},
              {"precision", name_in(precision_names, program.options.precision)},
              {"state_dtype", name_of(program.options.state_dtype)},
              {"value_major_state", program.options.value_major_state},
              {"default_scale", scale_of(program.variant, program.options.key_dim)},
              {"schedule", json::parse(schedule_to_json(program.schedule))},
              {"source", files.source},
              {"header", files.header},
              {"cubin", nullptr},
              {"sizes", sizes_json(program)},
              {"kernels", kernels_json(program)},
              {"launch", launch_json(program)},
              {"workspace", workspace_json(program)},
              {"arguments", arguments_json(program)},
              {"tensors", std::move(tensors)}};
  if (program.variant.chains_) result["M"] = slots_of(program.options);
  for (std::size_t i = 0; i < files.warnings.size(); ++i) result["kernels"].at(i)["warnings"] = files.warnings[i];
  if (!files.cubin.empty())
    result["cubin"] = {
        {"file", files.cubin}, {"bytes", files.cubin_bytes}, {"xxh3_128", files.cubin_hash}, {"key", files.key}};
  return result.dump(2) + "\n";
}

}  // namespace rankone
