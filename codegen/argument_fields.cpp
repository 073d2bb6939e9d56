// SPDX-License-Identifier: MIT
// The argument struct, field by field.
#include "codegen/argument_fields.hpp"

#include <algorithm>
#include <cstddef>

#include "codegen/launch_arguments.hpp"

namespace rankone {
namespace {

constexpr const char* not_read = "not read";

std::string scalars_text(const Program& program) {
  std::string text;
  for (const std::string& scalar : program.scalars) text += (text.empty() ? "" : ", ") + scalar;
  return text.empty() ? not_read : "in this order: " + text;
}

std::string maps_text(const Program& program) {
  return "a CUtensorMap of the input or gate with K that has the same index in `ports`, read where its bit of `mapped` "
         "is set, and never needed: 4 dimensions, columns, tokens, heads and batch, with the tensor's strides; a box of "
         "128 bytes of columns, " +
         std::to_string(program.schedule.chunk) +
         " tokens, 1 head and 1 row of the batch; no interleave, SWIZZLE_128B, out of bounds zero";
}

// Empty: the program has none such.
template <class Is> std::string name_of_region(const Program& program, const Is& is) {
  const auto found = std::ranges::find_if(program.regions, is);
  return found != program.regions.end() ? found->name : "";
}

// Where the region's address goes, if the program has it.
std::string region_text(const Program& program, void* Arguments::*argument) {
  for (const Region& region : program.regions)
    if (region.argument == argument)
      return "the workspace's region " + region.name + ": " + region.holds +
             "; 16-byte aligned; null where the region has no bytes";
  return not_read;
}

std::string form_of(const Port& port) {
  std::string text = "[";
  for (const std::string& axis : names_of(port.axes)) text += (text.size() > 1 ? ", " : "") + axis;
  const std::string types = port.rule == TypeRule::integer ? "i32 or i64" : name_of(port.type);
  return text + "] " + types +
         (port.in_slots     ? ", contiguous but for the stride of " + names_of(port.axes).front() + ", its batch_stride"
          : port.contiguous ? ", contiguous"
                            : "");
}

// Of what a chain's passes leave each other.
std::string region_note(const Program& program, const Port& port) {
  for (const Region& region : program.regions)
    if (region.port == port.slot)
      return form_of(port) + "; the workspace's region " + region.name + ": " + region.holds +
             "; null where the region has no bytes";
  return form_of(port) + "; not read";
}

// What a tensor holds, and what stands for it where it is not given.
std::string note_on(const Port& port) {
  std::string text = port.updated ? "read and written" : port.writable ? "written" : "";
  if (!port.holds.empty()) text += (text.empty() ? "" : ": ") + std::string(port.holds);
  return port.optional ? text + "; null: " + std::string(port.absent) : text;
}

}  // namespace

std::size_t argument_bytes(const Program& program) {
  return LaunchArguments::bytes(static_cast<std::size_t>(program.port_slots),
                                static_cast<std::size_t>(program.map_slots));
}
std::size_t argument_alignment(const Program& program) {
  return program.map_slots != 0 ? alignof(TensorMap) : alignof(Arguments);
}

std::vector<ArgumentPort> argument_ports(const Program& program) {
  std::vector<ArgumentPort> list;
  for (const Port& port : program.ports) {
    const std::string note = note_on(port);
    list.push_back({.name = port.name,
                    .index = port.slot,
                    .about = form_of(port) + (note.empty() ? "" : "; " + note),
                    .may_be_null = port.optional});
  }
  for (const Port& port : program.passed_ports)
    list.push_back({.name = port.name,
                    .index = port.slot,
                    .about = region_note(program, port),
                    .may_be_null = true,
                    .region = name_of_region(program, [&](const Region& each) { return each.port == port.slot; }),
                    .axes = port.axes,
                    .type = port.type});
  return list;
}

#define RANKONE_FIELD(member, type, count, ...) \
  ArgumentField { #member, type, count, offsetof(Arguments, member), sizeof(Arguments::member), __VA_ARGS__ }

#define RANKONE_POINTER(member) pointer(#member, offsetof(Arguments, member), &Arguments::member)

std::vector<ArgumentField> argument_fields(const Program& program) {
  const bool combines = program.pass == Pass::combine;
  const std::string segments = program.segment_tokens.is_constant() ? not_read
                               : program.variant.non_causal_
                                   ? "Tk, of a row of k and v; where sequences are packed, of all of them"
                                   : "the size `segment_tokens`; the same for all kernels of a call";
  const auto ports = static_cast<std::size_t>(program.port_slots), maps = static_cast<std::size_t>(program.map_slots);
  const auto pointer = [&](const char* name, std::size_t offset, void* Arguments::*argument) {
    return ArgumentField{name,
                         "pointer",
                         0,
                         offset,
                         sizeof(void*),
                         region_text(program, argument),
                         true,
                         name_of_region(program, [&](const Region& each) { return each.argument == argument; })};
  };
  std::vector<ArgumentField> fields = {
      RANKONE_POINTER(chunk_states),
      RANKONE_POINTER(segment_states),
      RANKONE_POINTER(segment_decays),
      RANKONE_POINTER(prepared_chunks),
      RANKONE_POINTER(token_slopes),
      RANKONE_POINTER(parameter_slopes),
      RANKONE_FIELD(tokens, "int64", 0,
                    combines ? not_read : "T, of a row of the batch; where sequences are packed, of all of them"),
      RANKONE_FIELD(sequences, "int64", 0, "N"),
      RANKONE_FIELD(segment_tokens, "int64", 0, segments),
      RANKONE_FIELD(state_slots, "int64", 0, program.pass == Pass::decode ? "P, the slots of `state`" : not_read),
      RANKONE_FIELD(vectorized, "uint64", 0,
                    "a bit for each of `ports`: its data and its batch, token and head strides in bytes are multiples "
                    "of 16; without it a slower path is taken"),
      RANKONE_FIELD(wide, "uint64", 0, "a bit for each of `ports` that may be i32 or i64: it is i64"),
      RANKONE_FIELD(mapped, "uint32", 0,
                    maps != 0 ? "a bit for each of `maps` that is there; others are copied another way" : not_read),
      RANKONE_FIELD(heads, "int32", 0, "H, from 1"),
      RANKONE_FIELD(value_heads, "int32", 0, "HV, a multiple of H"),
      RANKONE_FIELD(scale, "float", 0,
                    program.pass == Pass::forward || program.pass == Pass::decode || program.pass == Pass::backward
                        ? "what q S is multiplied with: default_scale, or another"
                        : not_read),
      RANKONE_FIELD(scalars, "float", max_scalars, scalars_text(program)),
      ArgumentField{"ports", "tensor", program.port_slots, sizeof(Arguments), ports * sizeof(TensorArgument),
                    "the tensors; data is null where there is none"},
  };
  if (maps != 0)
    fields.push_back({"maps", "tensor_map", program.map_slots, LaunchArguments::offset_of_maps(ports),
                      maps * sizeof(TensorMap), maps_text(program)});
  return fields;
}

#undef RANKONE_FIELD
#undef RANKONE_POINTER

static_assert(sizeof(TensorArgument) == 32);
static_assert(alignof(TensorMap) == 128 && sizeof(TensorMap) == 128, "as CUDA 13 declares CUtensorMap");

}  // namespace rankone
