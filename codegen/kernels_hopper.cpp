// SPDX-License-Identifier: MIT
// Kernels of the Hopper family.
#include <cmath>
#include <utility>

#include "codegen/kernels.hpp"
#include "codegen/space.hpp"
#include "templates/hopper/layout.cuh"

namespace rankone::hopper {
namespace {

constexpr int fewest_chunks = 4;  // of a segment: less is all start-up

HopperLayout layout_of(const KernelSource& source, HopperParts parts) {
  return hopper_layout(source.variant, source.options, source.schedule, parts);
}

// Of kernels with scores, where decays are per key: float32 holds what bf16 operands are multiplied with on their way to
// each other. Float16's have scales of their own, and what a formula makes of an operand is not known here.
OperandRange range_of_scores(const KernelSource& source) {
  const auto& [variant, options, schedule, pass, beside] = source;
  OperandRange range;
  if (!variant.decays_by_key() || options.dtype != dtype::bf16 || variant.has(Formula::feature_map)) return range;
  range.queries_below = std::ldexp(1.0, 126 - anchor_log2_limit);
  if (!variant.has(Formula::key)) range.keys_from = std::ldexp(1.0, anchor_log2_limit - 126);
  return range;
}

// The skeleton in one of its roles, with so many blocks on a multiprocessor.
Kernel in_role(const KernelSource& source, const char* role, const HopperLayout& layout, int residents) {
  const std::string of = std::string("rankone::Role::") + role;
  const bool by_key = source.variant.decays_by_key();
  const auto [header, form] = source.variant.decays_by_value()
                                  ? std::pair("hopper/per_value.cuh", by_key ? "PerKeyAndValue" : "PerValue")
                              : by_key ? std::pair("hopper/per_key.cuh", "PerKey")
                                       : std::pair("hopper/per_token.cuh", "PerToken");
  return {
      .name = role,
      .entry = role,
      .header = header,
      .call = std::string("rankone::hopper_forward<rankone::Policy, rankone::") + form + "<rankone::Gate>, " + of +
              ">(arguments);",
      .check = "rankone::HopperTraits<rankone::Policy, " + of + ">::layout.bytes == " + std::to_string(layout.bytes),
      .schedule = source.schedule,
      .threads = layout.threads,
      .shared_bytes = layout.bytes,
      .cluster = source.schedule.cluster,
      .residents = residents};
}

// A block walks several items, the loads of the next one under way before the last ends, so that there need not be
// more blocks than find place.
Extent blocks_that_find_place(const Kernel& kernel) {
  return min(kernel.items, Extent(Size::multiprocessors) * kernel.residents);
}
// Where lengths differ the hardware deals better with one item a block, and only it knows where a cluster finds place.
void set_blocks(Kernel& kernel, const Extent& items) {
  kernel.items = items;
  kernel.blocks = kernel.cluster > 1 ? items : select(Size::packed, items, blocks_that_find_place(kernel));
}

// Of a sequence that is not split there is one.
Extent segments(const KernelSource& source) {
  const Extent tokens = segment_tokens(source);
  return select(tokens, slots_of(tokens), Size::sequences).named("segments");
}
Extent where_split(const KernelSource& source, const Extent& extent) {
  return select(segment_tokens(source), extent, 0);
}

Extent run_slots(const KernelSource& source) {
  return slots_of(std::int64_t{prepare_chunks} * source.schedule.chunk).named("prepared_runs");
}

}  // namespace

std::vector<Kernel> kernels(const KernelSource& source) {
  if (source.schedule.prepared) return {prepare(source), scan(source)};
  const bool forward = source.pass == Pass::forward, segments = source.schedule.level == Level::segment;
  std::vector<Kernel> all;
  if (!forward || segments) all.push_back(states(source));
  if (segments) all.push_back(join(source));
  if (forward) all.push_back(scan(source));
  return all;
}

std::vector<Region> regions(const KernelSource& source) {
  if (source.schedule.level == Level::segment) return segment_regions(source);
  if (source.schedule.prepared) return {prepared_chunks(source)};
  return {};
}

// Boxes leave the most time to those who compute gates. Where only memory binds, copies of whole rows are 2 to 4 % faster.
// A box has its tokens in ascending order, and who copies gates of value columns loads no boxes.
bool uses_tma(const KernelSource& source) {
  const Variant& variant = source.variant;
  return source.pass == Pass::forward && variant.decays_by_key() && variant.formula(Formula::decay).size > 1 &&
         !variant.reversed_ && !variant.decays_by_value();
}

bool keeps_own_apart(const Variant& variant) {
  return variant.decays_by_value() && (variant.has(Formula::bonus) || (variant.decays_by_key() && !variant.exclusive_));
}

int block_threads(const KernelSource& source) {
  return layout_of(source, {.has_gate_group = !source.schedule.prepared}).threads;
}

// As long as may be while every multiprocessor of an H100 has one.
Extent segment_tokens(const KernelSource& source) {
  if (source.schedule.level != Level::segment) return {};
  const std::int64_t chunk = source.schedule.chunk;
  const Extent rows = Extent(Size::value_heads) * value_tiles(source);
  const Extent in_a_row = Extent(hopper_multiprocessors) / max(Extent(Size::batch) * rows, 1);
  const Extent equal = ceil_div(Size::tokens, max(in_a_row, 1));
  const Extent packed = Extent(Size::tokens) * rows / hopper_multiprocessors;
  const Extent wanted = max(select(Size::packed, packed, equal), fewest_chunks * chunk);
  const Extent rounded = (ceil_div(wanted, chunk) * chunk).named("wanted_segment");
  const Extent too_many_rows = select(Size::packed, 0, in_a_row < 2);
  return select(too_many_rows, 0, select(rounded < Size::tokens, rounded, 0)).named("segment_tokens");
}

Kernel scan(const KernelSource& source) {
  Kernel kernel = in_role(source, "scan", layout_of(source, {.has_gate_group = !source.schedule.prepared}), 1);
  kernel.entry = "forward";
  if (!source.schedule.prepared) kernel.range = range_of_scores(source);
  const Extent walks = source.schedule.level == Level::segment ? segments(source) : Extent(Size::sequences);
  set_blocks(kernel, walks * Size::value_heads * value_tiles(source));
  return kernel;
}

Kernel states(const KernelSource& source) {
  Kernel kernel = in_role(source, "states", layout_of(source, {.reads_query = false}), 1);
  const Extent of_each = Extent(Size::value_heads) * value_tiles(source);
  if (source.pass == Pass::states) {
    const Extent walks = source.schedule.level == Level::segment ? segments(source) : Extent(Size::sequences);
    set_blocks(kernel, walks * of_each);
  } else {
    kernel.entry = "segment_states";
    set_blocks(kernel, where_split(source, segments(source) * of_each));
  }
  return kernel;
}

Kernel join(const KernelSource& source) {
  Kernel kernel{.name = "join",
                .entry = "join",
                .header = "hopper/join.cuh",
                .call = "rankone::join<rankone::Policy>(arguments);",
                .check = "rankone::join_threads == " + std::to_string(join_threads),
                .schedule = source.schedule,
                .threads = join_threads};
  const int elements = source.options.key_dim * source.options.value_dim, per_block = 4 * join_threads;
  const int parts = (elements + per_block - 1) / per_block;
  kernel.items = where_split(source, Extent(Size::sequences) * Size::value_heads * parts);
  kernel.blocks = kernel.items;
  return kernel;
}

Kernel prepare(const KernelSource& source) {
  Kernel kernel = in_role(source, "prepare", layout_of(source, {.has_consumers = false}), prepare_residents);
  kernel.cluster = 1;
  kernel.range = range_of_scores(source);
  kernel.items = run_slots(source) * Size::value_heads;
  kernel.blocks = blocks_that_find_place(kernel);
  return kernel;
}

std::vector<Region> segment_regions(const KernelSource& source) {
  const auto& [variant, options, schedule, pass, beside] = source;
  const Extent slots = where_split(source, segments(source) * Size::value_heads);
  const int width = variant.decays_by_key() ? options.key_dim : 1;
  return {
      {"segment_states", "what each segment adds to the state, then the state before it, float32",
       &Arguments::segment_states, slots * (std::int64_t{4} * options.key_dim * options.value_dim)},
      {"segment_decays", "the sum of each segment's base-2 log-decays, float32, for each key where decays are per key",
       &Arguments::segment_decays, ceil_div(slots * (std::int64_t{4} * width), 16) * 16}};
}

Region prepared_chunks(const KernelSource& source) {
  const Extent slots = slots_of(source.schedule.chunk).named("chunk_slots");
  return {"prepared_chunks", "queries and keys as operands, decays and scores of each chunk",
          &Arguments::prepared_chunks,
          slots * Size::value_heads * layout_of(source, {.has_consumers = false}).prepared_bytes};
}

}  // namespace rankone::hopper
