// SPDX-License-Identifier: MIT
// Kernels of the portable family.
#include <algorithm>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/decay_sides.hpp>
#include <rankone/dsl/leaves.hpp>

#include "codegen/kernels.hpp"
#include "codegen/policy_lines.hpp"
#include "templates/kernels/sum_layout.cuh"

namespace rankone::portable {
namespace {

// Of a non-causal variant the inputs of queries, or else those of keys.
bool stages_input(const KernelSource& source, const Port& input, bool reads_query) {
  return !source.variant.non_causal_ || input.axes.has(Axis::tokens) == reads_query;
}

LayoutSizes sizes_of(const KernelSource& source, bool reads_query, int stages) {
  const auto& [variant, options, schedule, pass, beside] = source;
  LayoutSizes sizes{.chunk = schedule.chunk,
                    .stages = stages,
                    .warps = schedule.warps,
                    .key_padded = padded_keys(options.key_dim),
                    .value_tile = schedule.value_tile,
                    .storage_bytes = static_cast<int>(size_of(options.dtype)),
                    .operand_bytes = operand_bytes(options.dtype),
                    .key_decays = variant.decays_by_key() ? padded_keys(options.key_dim) : 1,
                    .reads_query = reads_query,
                    .split_products = options.precision == Precision::f32,
                    .keeps_values = reads_query && keeps_values(variant),
                    .value_decays = variant.decays_by_value(),
                    .input_bytes = {},
                    .input_columns = {}};
  int index = 0;
  for (const Port& input : ports_of(ports(variant, options), PortRole::gate)) {
    int& columns = sizes.input_columns[index];
    columns = !stages_input(source, input, reads_query) ? 0
              : input.axes.has(Axis::key)               ? sizes.key_padded
              : input.axes.has(Axis::value)             ? sizes.value_tile
                                                        : 0;
    sizes.input_bytes[index++] = columns > 0 ? static_cast<int>(size_of(input.type)) : 0;
  }
  return sizes;
}
Layout layout_of(const KernelSource& source, bool reads_query, int stages) {
  return make_layout(sizes_of(source, reads_query, stages));
}

// `traits`: the type that has the layout.
Kernel with_layout(const KernelSource& source, const char* name, const std::string& traits, const Layout& layout) {
  const bool has_sum = is_normalised(source.variant);
  const int bytes =
      has_sum ? make_sum_layout(layout.bytes, source.schedule.chunk, padded_keys(source.options.key_dim)).bytes
              : layout.bytes;
  return {.name = name,
          .entry = name,
          .header = "kernels/scan.cuh",
          .call = {},
          .check = (has_sum ? "rankone::sum_layout<" + traits + ">.bytes == " : traits + "::layout.bytes == ") +
                   std::to_string(bytes),
          .schedule = source.schedule,
          .threads = 32 * source.schedule.warps,
          .shared_bytes = bytes};
}

// The skeleton in one of its roles.
Kernel in_role(const KernelSource& source, const char* role, const Layout& layout,
               const std::string& policy = "rankone::Policy") {
  const std::string of = std::string("rankone::Role::") + role;
  Kernel kernel = with_layout(source, role, "rankone::Traits<" + policy + ", " + of + ">", layout);
  kernel.call = "rankone::scan<" + policy + ", rankone::Gate, " + of + ">(arguments);";
  return kernel;
}

void set_blocks(Kernel& kernel, const Extent& items) { kernel.items = kernel.blocks = items; }

Extent chunk_slots(const KernelSource& source) { return slots_of(source.schedule.chunk).named("chunk_slots"); }
Extent state_slots(const KernelSource& source) {
  return source.variant.non_causal_ ? Extent(Size::sequences) : chunk_slots(source);
}

}  // namespace

// Products of f16 run in tf32, which holds every f16 number and whose range no product or decay leaves.
int operand_bytes(dtype type) { return type == dtype::bf16 ? 2 : 4; }

bool keeps_values(const Variant& variant) {
  return variant.has(Formula::value) && reads(variant.formula(Formula::output), Operation::value);
}

void write_policy(const KernelSource& source, PolicyLines& lines) {
  const Variant& variant = source.variant;
  lines.flags({{"has_query", variant.has(Formula::query)},
               {"has_value", variant.has(Formula::value)},
               {"has_output", variant.has(Formula::output)},
               {"keeps_values", keeps_values(variant)},
               {"decays_on_both_sides", static_cast<bool>(decay_sides(variant))}});
  if (is_normalised(variant)) lines.flags({{"has_normaliser", true}});
  if (source.pass == Pass::backward)
    lines.flags({{"differentiates_decay", reads_tensors(variant.formula(Formula::decay))}});
  if (!variant.non_causal_) return;
  lines.flags({{"non_causal", true}});
  lines.line(sides_of_inputs(source));
}

std::vector<Kernel> kernels(const KernelSource& source) {
  if (source.variant.non_causal_) return {keys(source), queries(source)};
  if (source.pass == Pass::backward) return backward_kernels(source);
  if (source.pass == Pass::states) return {states(source)};
  if (source.schedule.level == Level::chunk) return {states(source), output(source)};
  return {scan(source)};
}

std::vector<Region> regions(const KernelSource& source) {
  if (source.pass == Pass::backward) return backward_regions(source);
  const bool in_chunks = source.schedule.level == Level::chunk || source.variant.non_causal_;
  if (source.pass != Pass::forward || !in_chunks) return {};
  if (is_normalised(source.variant)) return {chunk_states(source), chunk_sums(source)};
  return {chunk_states(source)};
}

Kernel scan(const KernelSource& source) {
  Kernel kernel = in_role(source, "scan", layout_of(source, true, source.schedule.stages));
  kernel.entry = "forward";
  set_blocks(kernel, Extent(Size::sequences) * Size::value_heads * value_tiles(source));
  return kernel;
}

Kernel states(const KernelSource& source) {
  Kernel kernel = in_role(source, "states", layout_of(source, false, source.schedule.stages));
  set_blocks(kernel, Extent(Size::sequences) * Size::value_heads * value_tiles(source));
  return kernel;
}

Kernel output(const KernelSource& source) {
  // It works on a single chunk, and has nothing to fetch ahead.
  Kernel kernel = in_role(source, "output", layout_of(source, true, 1));
  set_blocks(kernel, chunk_slots(source) * Size::value_heads * value_tiles(source));
  return kernel;
}

Kernel keys(const KernelSource& source) {
  Kernel kernel = in_role(source, "states", layout_of(source, false, source.schedule.stages),
                          "rankone::Side<rankone::Policy, false>");
  kernel.name = kernel.entry = "keys";
  kernel.header = "kernels/non_causal.cuh";
  set_blocks(kernel, Extent(Size::sequences) * Size::value_heads * value_tiles(source));
  return kernel;
}

Kernel queries(const KernelSource& source) {
  Kernel kernel = with_layout(source, "queries", "rankone::QueryTraits<rankone::Policy, rankone::Role::queries>",
                              make_query_layout(sizes_of(source, true, 1)));
  kernel.header = "kernels/non_causal.cuh";
  kernel.call = "rankone::read_queries<rankone::Policy, rankone::Gate, rankone::Role::queries>(arguments);";
  set_blocks(kernel, slots_of(std::int64_t{source.schedule.chunk} * query_chunks).named("query_slots") *
                         Size::value_heads * value_tiles(source));
  return kernel;
}

Kernel combine(const KernelSource& source) {
  Kernel kernel{.name = "combine",
                .entry = "combine",
                .header = "kernels/combine.cuh",
                .call = "rankone::combine<rankone::Policy>(arguments);",
                .check = "rankone::combine_threads == " + std::to_string(combine_threads),
                .schedule = source.schedule,
                .threads = combine_threads};
  set_blocks(kernel, Extent(Size::sequences) * Size::value_heads);
  return kernel;
}

Region chunk_states(const KernelSource& source) {
  const std::int64_t bytes = std::int64_t{value_tiles(source)} * source.schedule.value_tile *
                             padded_keys(source.options.key_dim) * operand_bytes(source.options.dtype);
  const Extent all = state_slots(source) * Size::value_heads * bytes;
  const std::string order = ", in the order of the registers that hold it";
  if (source.variant.non_causal_)
    return {"key_states", "the state that all keys leave" + order, &Arguments::prepared_chunks, all};
  return {"chunk_states", "the state before each chunk" + order, &Arguments::chunk_states, all};
}

Region chunk_sums(const KernelSource& source) {
  return {source.variant.non_causal_ ? "key_sums" : "chunk_sums", "the normaliser's sum there, float32",
          &Arguments::segment_states,
          state_slots(source) * Size::value_heads * (std::int64_t{4} * padded_keys(source.options.key_dim))};
}

}  // namespace rankone::portable
