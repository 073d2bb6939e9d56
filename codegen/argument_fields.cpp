// SPDX-License-Identifier: MIT
// The argument struct, field by field.
#include "codegen/argument_fields.hpp"

#include <cstddef>

#include "templates/device/arguments.cuh"

namespace rankone {
namespace {

constexpr const char* not_read = "not read";

std::string names_of(const Program& program, PortRole role) {
  std::string text;
  for (const Port& port : ports_of(program.ports, role)) text += (text.empty() ? "" : ", ") + port.name;
  return text.empty() ? not_read : "in this order: " + text;
}

std::string scalars_text(const Program& program) {
  std::string text;
  for (const std::string& scalar : program.scalars) text += (text.empty() ? "" : ", ") + scalar;
  return text.empty() ? not_read : "in this order: " + text;
}

// Of q, k, v and the inputs, in the order of their bits.
std::string maps_text(const Program& program) {
  if (!program.uses_tma) return not_read;
  return "a CUtensorMap of q, k, v or an input with K, read where its bit from first_tensor_is_mapped on is set, and "
         "never needed: 4 dimensions, columns, tokens, heads and batch, with the tensor's strides; a box of 128 bytes "
         "of columns, " +
         std::to_string(program.schedule.chunk) +
         " tokens, 1 head and 1 row of the batch; no interleave, SWIZZLE_128B, out of bounds zero";
}

// What the fields of one pass hold.
struct Meanings {
  std::string query = not_read, key = not_read, value = not_read, output = not_read;
  std::string initial_state, final_state, total = not_read;
  std::string tokens = "T, of a row of the batch; where sequences are packed, of all of them";
  bool initial_is_optional = true, final_is_optional = true;
};

Meanings meanings_of(const Program& program) {
  const std::string axes = program.options.value_major_state ? "[N, HV, V, K]" : "[N, HV, K, V]";
  const std::string state = axes + " float32, contiguous, 16-byte aligned";
  Meanings all{.initial_state = "the state before the first token, " + state + "; null: zeros",
               .final_state = "written: the state after the last token, " + state + "; null: not wanted"};
  if (program.pass == Pass::combine) {
    all.initial_state = "the first span's state, " + state;
    all.final_state = "read and written: the second span's state, then that of both, " + state;
    all.total = "the sum of the second span's natural log-decays, as the state-only pass writes it";
    all.tokens = not_read;
    all.initial_is_optional = all.final_is_optional = false;
    return all;
  }
  if (program.reads_key) all.key = "k, [B, T, H, K]";
  all.value = "v, [B, T, HV, V]";
  if (program.pass == Pass::forward) {
    all.query = "q, [B, T, H, K]";
    all.output = "written: o, [B, T, HV, V]";
  } else {
    all.total = std::string("written: the sum of each sequence's natural log-decays, [N, HV") +
                (program.variant.decay_axes().has(Axes::key) ? ", K]" : "]") + " float32, contiguous; null: not wanted";
  }
  return all;
}

// Where the region's address goes, if the program has it.
std::string region_text(const Program& program, void* Arguments::*argument) {
  for (const Region& region : program.regions)
    if (region.argument == argument)
      return "the workspace's region " + region.name + ": " + region.holds +
             "; 16-byte aligned; null where the region has no bytes";
  return not_read;
}

}  // namespace

#define RANKONE_FIELD(member, type, count, ...) \
  ArgumentField { #member, type, count, offsetof(Arguments, member), sizeof(Arguments::member), __VA_ARGS__ }

std::vector<ArgumentField> argument_fields(const Program& program) {
  const Meanings all = meanings_of(program);
  const bool combines = program.pass == Pass::combine;
  const std::string segments =
      program.segment_tokens.is_constant() ? not_read : "the size `segment_tokens`; the same for all kernels of a call";
  return {
      RANKONE_FIELD(query, "tensor", 0, all.query),
      RANKONE_FIELD(key, "tensor", 0, all.key),
      RANKONE_FIELD(value, "tensor", 0, all.value),
      RANKONE_FIELD(output, "tensor", 0, all.output),
      RANKONE_FIELD(inputs, "tensor", max_inputs, names_of(program, PortRole::gate)),
      RANKONE_FIELD(parameters, "pointer", max_parameters, names_of(program, PortRole::parameter) + "; contiguous"),
      RANKONE_FIELD(scalars, "float", max_scalars, combines ? not_read : scalars_text(program)),
      RANKONE_FIELD(initial_state, "pointer", 0, all.initial_state, all.initial_is_optional),
      RANKONE_FIELD(final_state, "pointer", 0, all.final_state, all.final_is_optional),
      RANKONE_FIELD(chunk_states, "pointer", 0, region_text(program, &Arguments::chunk_states), true),
      RANKONE_FIELD(segment_states, "pointer", 0, region_text(program, &Arguments::segment_states), true),
      RANKONE_FIELD(segment_decays, "pointer", 0, region_text(program, &Arguments::segment_decays), true),
      RANKONE_FIELD(prepared_chunks, "pointer", 0, region_text(program, &Arguments::prepared_chunks), true),
      RANKONE_FIELD(log_decay_total, "pointer", 0, all.total, program.pass != Pass::combine),
      RANKONE_FIELD(cu_seqlens, "pointer", 0,
                    combines
                        ? not_read
                        : "packed sequences' offsets, int32 or int64 [N + 1] on the device, then B = 1; null: N = B "
                          "sequences of T tokens",
                    true),
      RANKONE_FIELD(tokens, "int64", 0, all.tokens),
      RANKONE_FIELD(sequences, "int64", 0, "N"),
      RANKONE_FIELD(segment_tokens, "int64", 0, segments),
      RANKONE_FIELD(heads, "int32", 0, "H, from 1"),
      RANKONE_FIELD(value_heads, "int32", 0, "HV, a multiple of H"),
      RANKONE_FIELD(
          scale, "float", 0,
          program.pass == Pass::forward ? "what q S is multiplied with: default_scale, or another" : not_read),
      RANKONE_FIELD(flags, "uint32", 0, "bits of `flags`"),
      RANKONE_FIELD(maps, "tensor_map", max_maps, maps_text(program)),
  };
}

#undef RANKONE_FIELD

std::vector<ArgumentBit> argument_bits(const Program& program) {
  const std::string vectorized =
      ": its data and its batch, token and head strides in bytes are multiples of 16; without it a slower path is taken";
  return {{"cu_seqlens_are_64_bit", cu_seqlens_are_64_bit, "cu_seqlens holds int64; without it int32"},
          {"query_is_vectorized", query_is_vectorized, "of q" + vectorized},
          {"key_is_vectorized", key_is_vectorized, "of k" + vectorized},
          {"value_is_vectorized", value_is_vectorized, "of v" + vectorized},
          {"output_is_vectorized", output_is_vectorized, "of o" + vectorized},
          {"first_input_is_vectorized", first_input_is_vectorized, "a bit for each input from here on" + vectorized},
          {"first_tensor_is_mapped", first_tensor_is_mapped,
           program.uses_tma ? "a bit for each of q, k, v and the inputs from here on: its map in `maps` is there"
                            : "must not be set"}};
}

static_assert(sizeof(TensorArgument) == 32);
static_assert(alignof(TensorMap) == 128 && sizeof(TensorMap) == 128, "as CUDA 13 declares CUtensorMap");
static_assert(sizeof(Arguments) <= 4096, "what a kernel's parameters may have");

}  // namespace rankone
