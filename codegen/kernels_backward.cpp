// SPDX-License-Identifier: MIT
// Kernels of the portable family's backward pass, in chunks.
#include <algorithm>

#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/parts.hpp>

#include "codegen/kernels.hpp"
#include "templates/kernels/backward_layout.cuh"

namespace rankone::portable {
namespace {

BackwardSizes sizes_of(const KernelSource& source) {
  const auto& [variant, options, schedule, pass, beside] = source;
  BackwardSizes sizes{.chunk = schedule.chunk,
                      .stages = schedule.stages,
                      .warps = schedule.warps,
                      .key_padded = padded_keys(options.key_dim),
                      .value_dim = options.value_dim,
                      .value_tile = schedule.value_tile,
                      .storage_bytes = static_cast<int>(size_of(options.dtype)),
                      .operand_bytes = operand_bytes(options.dtype),
                      .inputs = static_cast<int>(ports_of(ports(variant, options), PortRole::gate).size()),
                      .has_value = variant.has(Formula::value),
                      .sums_rows = variant.has(Formula::query) || variant.has(Formula::key) ||
                                   variant.has(Formula::write_scale) || variant.has(Formula::bonus) ||
                                   variant.decays_by_key(),
                      .weighs_own = variant.has(Formula::bonus),
                      .by_key = variant.decays_by_key(),
                      .input_bytes = {}};
  int index = 0;
  for (const Port& input : ports_of(ports(variant, options), PortRole::gate))
    sizes.input_bytes[index++] = runs_over_keys(input.axes) ? static_cast<int>(size_of(input.type)) : 0;
  return sizes;
}

int width_of(const KernelSource& source, const Port& port) {
  return (runs_over_keys(port.axes) ? source.options.key_dim : 1) *
         (port.axes.has(Axis::value) ? source.options.value_dim : 1);
}
bool is_shared(const Port& input) { return !input.axes.has(Axis::value_heads); }

SlopeLayout parts_of(const KernelSource& source) {
  PartSizes sizes{.key_dim = source.options.key_dim,
                  .reads_key = reads_key(source.variant),
                  .inputs = 0,
                  .parameters = 0,
                  .input_width = {},
                  .parameter_width = {}};
  const std::vector<Port> all = ports(source.variant, source.options);
  for (const Port& port : ports_of(all, PortRole::gate))
    sizes.input_width[sizes.inputs++] = is_shared(port) ? width_of(source, port) : 0;
  for (const Port& port : ports_of(all, PortRole::parameter))
    sizes.parameter_width[sizes.parameters++] = width_of(source, port);
  return make_parts_layout(sizes);
}

Kernel with_header(const KernelSource& source, const char* name, const char* header, const std::string& call) {
  Kernel kernel{.name = name,
                .entry = name,
                .header = std::string("kernels/") + header + ".cuh",
                .call = "rankone::" + call + "(arguments);",
                .check = {},
                .schedule = source.schedule,
                .threads = 32 * source.schedule.warps};
  return kernel;
}
std::string counted(const char* layout, int bytes) {
  return std::string("rankone::BackwardChunks<rankone::Policy>::") + layout + ".bytes == " + std::to_string(bytes);
}

Kernel sums(const KernelSource& source, const char* name) {
  const SlopeLayout parts = parts_of(source);
  const std::string traits = "rankone::BackwardChunks<rankone::Policy>::slopes.";
  Kernel kernel = with_header(source, name, "gradient_sums", std::string("sum_") + name + "<rankone::Policy>");
  kernel.threads = reduce_threads;
  kernel.check = "rankone::reduce_threads == " + std::to_string(reduce_threads) + " && " + traits +
                 "token_floats == " + std::to_string(parts.token_floats) + " && " + traits +
                 "sequence_floats == " + std::to_string(parts.sequence_floats);
  return kernel;
}

// What one block waits for, another fills, where there is place for both and 128 registers a thread are enough.
void set_residents(const KernelSource& source, Kernel& kernel) {
  constexpr int shared = 227 * 1024, of_a_block = 1024, most_accumulators = 88, most_warps = 8;
  if (source.schedule.warps <= most_warps && 2 * (kernel.shared_bytes + of_a_block) <= shared &&
      backward_accumulators(source) <= most_accumulators && operand_bytes(source.options.dtype) == 2)
    kernel.residents = 2;
}

Extent chunk_slots(const KernelSource& source) { return slots_of(source.schedule.chunk).named("chunk_slots"); }

// 1 where value heads have parts of a token's gradients: those that share a query head, or a tensor without heads.
Extent has_token_parts(const KernelSource& source) {
  const std::vector<Port> inputs = ports_of(ports(source.variant, source.options), PortRole::gate);
  const bool has_shared =
      std::ranges::any_of(inputs, [](const Port& port) { return is_shared(port) && !port.axes.has(Axis::heads); });
  return has_shared ? Extent(1) : Extent(Size::heads) < Size::value_heads;
}

std::int64_t state_bytes(const KernelSource& source) {
  return std::int64_t{padded_values(source.options.value_dim)} * padded_keys(source.options.key_dim) *
         operand_bytes(source.options.dtype);
}

// Of the formulas that there are.
constexpr Parts parts_of_backward = set_of({Part::earlier_read, Part::reversed_walk, Part::query, Part::value});

}  // namespace

std::string why_no_backward(const Variant& variant, const CompileOptions& options) {
  const std::string part(part_beyond(variant, parts_of_backward));
  if (!part.empty()) return "the backward pass has no form in chunks for " + part;
  for (const Port& port : ports_of(ports(variant, options), PortRole::parameter))
    if (port.axes.has(Axis::value)) return "the backward pass has no form in chunks for a parameter of value columns";
  return {};
}

int backward_accumulators(const KernelSource& source) {
  const BackwardSizes sizes = sizes_of(source);
  const int columns = warp_columns(sizes), score_blocks = (warp_rows(sizes) + columns - 1) / columns;
  return std::max(8 * (2 * key_blocks_of(sizes, columns) + score_blocks + 1),
                  8 * key_blocks_of(sizes, sizes.warps / state_column_warps(sizes)) + 4 * sizes.chunk / 16);
}

std::vector<Kernel> backward_kernels(const KernelSource& source) {
  std::vector<Kernel> all{backward_states(source), gradients(source), token_gradients(source)};
  if (parts_of(source).sequence_floats > 0) all.push_back(parameter_gradients(source));
  return all;
}

std::vector<Region> backward_regions(const KernelSource& source) {
  const SlopeLayout parts = parts_of(source);
  const Extent heads = Size::value_heads, states = chunk_slots(source) * heads * state_bytes(source);
  const std::string order = ", as operands, a row of keys for each value column";
  std::vector<Region> all{
      {"chunk_states", "the state before each chunk" + order, &Arguments::chunk_states, states},
      {"chunk_state_slopes", "the slopes of the state behind each chunk" + order, &Arguments::segment_states, states},
      {"token_slopes", "what value heads have of the gradients of a token that they share, float32",
       &Arguments::token_slopes,
       select(has_token_parts(source),
              in_sixteens(Extent(Size::batch) * Size::tokens * heads * std::int64_t{parts.token_floats}), 0)}};
  if (parts.sequence_floats > 0)
    all.push_back(
        {"parameter_slopes", "what each chunk, value head and warp has of the parameters' gradients, float32",
         &Arguments::parameter_slopes,
         in_sixteens(chunk_slots(source) * heads * std::int64_t{source.schedule.warps * parts.sequence_floats})});
  return all;
}

Kernel backward_states(const KernelSource& source) {
  const BackwardSizes sizes = sizes_of(source);
  const StateWalkLayout layout = make_state_walk_layout(sizes);
  Kernel kernel = with_header(source, "states", "backward_states", "backward_states<rankone::Policy, rankone::Gate>");
  kernel.check = counted("walk_layout", layout.bytes);
  kernel.shared_bytes = layout.bytes;
  kernel.items = kernel.blocks = Extent(Size::sequences) * Size::value_heads * std::int64_t{2 * state_tiles(sizes)};
  set_residents(source, kernel);
  return kernel;
}

Kernel gradients(const KernelSource& source) {
  const GradientsLayout layout = make_gradients_layout(sizes_of(source));
  Kernel kernel = with_header(source, "gradients", "gradients", "chunk_gradients<rankone::Policy, rankone::Gate>");
  kernel.check = counted("layout", layout.bytes);
  kernel.shared_bytes = layout.bytes;
  kernel.items = kernel.blocks = chunk_slots(source) * Size::value_heads;
  set_residents(source, kernel);
  return kernel;
}

Kernel token_gradients(const KernelSource& source) {
  Kernel kernel = sums(source, "token_gradients");
  kernel.items = kernel.blocks =
      select(has_token_parts(source), ceil_div(Extent(Size::batch) * Size::tokens, reduce_tokens), 0);
  return kernel;
}

Kernel parameter_gradients(const KernelSource& source) {
  Kernel kernel = sums(source, "parameter_gradients");
  Extent most = 1;
  for (const Port& port : ports_of(ports(source.variant, source.options), PortRole::parameter)) {
    Extent elements = std::int64_t{width_of(source, port)};
    if (port.axes.has(Axis::heads)) elements = elements * Size::heads;
    if (port.axes.has(Axis::value_heads)) elements = elements * Size::value_heads;
    most = max(most, elements);
  }
  kernel.items = kernel.blocks = ceil_div(most, reduce_threads / 32);
  return kernel;
}

}  // namespace rankone::portable
