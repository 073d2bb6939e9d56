// SPDX-License-Identifier: MIT
// Kernels of the recurrent family.
#include <algorithm>
#include <array>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/decay_sides.hpp>
#include <rankone/dsl/features.hpp>

#include "codegen/kernels.hpp"
#include "codegen/space.hpp"
#include "templates/recurrent/backward_layout.cuh"
#include "templates/recurrent/slope_layout.cuh"

namespace rankone {
namespace {

using recurrent::splits_columns, recurrent::stages_tokens;

// The rows of a state.
int features_of(const KernelSource& source) {
  return static_cast<int>(feature_dim(source.variant, source.options.key_dim));
}

// Rows of slopes that a feature map with a dimension of its own gives to elements: of query and key, and of both of a pair.
int element_slopes(const Variant& variant) {
  if (!has_features(variant)) return 0;
  return reads(variant.formula(Formula::feature_map), Operation::other) ? 4 : 2;
}

// A scan of slots, in the pass of a chain that has them in its columns.
bool scans_values(const Variant& variant) { return has_scan(variant) && variant.stage_ == Stage::first; }

RecurrentSizes sizes_of(const KernelSource& source) {
  const Variant& variant = source.variant;
  const bool is_full = recurrent::has_full_decay(variant);
  const std::vector<Port> inputs = ports_of(ports(variant, source.options), PortRole::gate);
  const auto count_without = [&](auto has_axis) {
    return static_cast<int>(std::ranges::count_if(inputs, [&](const Port& port) { return !has_axis(port.axes); }));
  };
  const bool has_pairs = has_features(variant) && reads(variant.formula(Formula::feature_map), Operation::other);
  return {.warps = source.schedule.warps,
          .key_dim = features_of(source),
          .value_tile = source.schedule.value_tile,
          .inputs = is_full ? static_cast<int>(inputs.size()) : 0,
          .reduces_keys = reduces_keys(variant),
          .token_steps = variant.steps_,
          .splits_columns = splits_columns(source.pass),
          .stages_tokens = stages_tokens(source.pass),
          .stage_keys = (has_pairs ? 4 : 2) + count_without([](const AxisList& axes) { return axes.has(Axis::value); }),
          .stage_columns = 2 + count_without([](const AxisList& axes) { return runs_over_keys(axes); }),
          .element_slopes = element_slopes(variant),
          .is_normalised = is_normalised(variant),
          .has_phase = variant.is_complex(),
          .writes_again = variant.writes_again(),
          .has_running_max = has_running_max(variant),
          .erases_values = variant.has(Formula::value_erase),
          .has_scan = has_scan(variant),
          .scans_values = scans_values(variant)};
}
// Of a head's value columns.
int tiles_of(const KernelSource& source) { return value_tiles(sizes_of(source), source.options.value_dim); }

std::vector<Port> formula_ports(const KernelSource& source, PortRole role) {
  return ports_of(ports(source.variant, source.options), role);
}

// Of one sequence, value head and tile of value columns each.
Kernel by_tiles(const KernelSource& source, const char* name, int threads, int shared_bytes) {
  Kernel kernel{.name = name,
                .entry = name,
                .header = std::string("recurrent/") + name + ".cuh",
                .call = std::string("rankone::recurrent_") + name + policy_and_gate_of(source) + "(arguments);",
                .policy = policy_name(source.variant),
                .check = {},
                .schedule = source.schedule,
                .threads = threads,
                .shared_bytes = shared_bytes};
  kernel.items = kernel.blocks = Extent(Size::sequences) * Size::value_heads * tiles_of(source);
  return kernel;
}

std::string counted(const KernelSource& source, const char* traits, const char* layout, int bytes) {
  return std::string("rankone::") + traits + "<" + policy_of(source) + ">::" + layout +
         ".bytes == " + std::to_string(bytes);
}

// From the first token on.
Kernel walking(const KernelSource& source, const char* name) {
  const RecurrentLayout layout = recurrent_layout(source);
  Kernel kernel = by_tiles(source, name, layout.threads, layout.bytes);
  kernel.check = counted(source, "RecurrentTraits", "layout", layout.bytes);
  return kernel;
}

// Steps wait for each other, and blocks of few tokens for their states: where a thread's part of the state leaves registers for
// it, a multiprocessor is meant to hold so many warps.
int residents(const KernelSource& source, int warps, int most_elements) {
  const int elements = recurrent_layout(source).thread_rows * thread_columns;
  const bool is_small = elements * recurrent::state_numbers(source.variant, source.options) <= most_elements;
  return is_small && source.schedule.warps <= warps ? warps / source.schedule.warps : 0;
}

// A multiprocessor of Hopper's has so much shared memory, of which each block costs a little more, and so many registers,
// of which a thread of the backward pass takes all that it can have.
constexpr int shared_bytes = 228 << 10, bytes_beside = 1 << 10, threads_of_registers = 256;
int backward_residents(const BackwardLayout& layout) {
  return std::max(1, std::min(shared_bytes / (layout.bytes + bytes_beside), threads_of_registers / layout.token.threads));
}
// No more than find place there: each has memory of its own.
Extent backward_blocks(const KernelSource& source) {
  const Extent items = Extent(Size::sequences) * Size::value_heads * tiles_of(source);
  return min(items, hopper_multiprocessors * backward_residents(backward_layout(source)));
}

// Of a non-causal variant, whose kernels walk keys and queries apart.
Kernel by_sides(Kernel kernel, const std::string& file, const std::string& function) {
  kernel.header = "recurrent/" + file + ".cuh";
  kernel.call.replace(0, kernel.call.find('<'), "rankone::" + function);
  return kernel;
}

// Of a bidirectional variant's walks, which are launched one after the other (recurrent/both_directions.cuh).
std::vector<Kernel> in_both_directions(const Kernel& kernel) {
  constexpr std::string_view policy = "rankone::Policy";
  std::vector<Kernel> both;
  for (const bool upward : {true, false}) {
    Kernel& each = both.emplace_back(kernel);
    each.header = "recurrent/both_directions.cuh";
    each.call.replace(each.call.find(policy), policy.size(),
                      std::string(upward ? "rankone::Upward<" : "rankone::Downward<") + std::string(policy) + ">");
    if (upward) continue;
    each.name += "_reversed";
    each.entry += "_reversed";
  }
  return both;
}

std::vector<Kernel> bidirectional_kernels(const KernelSource& source) {
  std::vector<Kernel> all;
  const auto add = [&](const Kernel& kernel) {
    for (Kernel& each : in_both_directions(kernel)) all.push_back(std::move(each));
  };
  if (source.pass != Pass::backward) {
    add(recurrent::forward(source));
    return all;
  }
  add(recurrent::checkpoints(source));
  if (source.variant.has(Formula::output)) add(walking(source, "reads"));
  add(recurrent::backward(source));
  return all;
}

Kernel sum_of(const KernelSource& source, const char* name) {
  const SlopeLayout slopes = slope_layout(source);
  const std::string traits = "rankone::BackwardTraits<" + policy_of(source) + ">::slopes.";
  return {.name = name,
          .entry = name,
          .header = "recurrent/reduce.cuh",
          .call = std::string("rankone::reduce_") + name + "<" + policy_of(source) + ">(arguments);",
          .policy = policy_name(source.variant),
          .check = "rankone::reduce_threads == " + std::to_string(reduce_threads) + " && " + traits +
                   "token_floats == " + std::to_string(slopes.token_floats) + " && " + traits +
                   "sequence_floats == " + std::to_string(slopes.sequence_floats),
          .schedule = source.schedule,
          .threads = reduce_threads};
}

// Tokens with slopes of their own, of a row.
Extent token_rows(const KernelSource& source) {
  return source.variant.non_causal_ ? Extent(Size::tokens) + Size::key_tokens : Extent(Size::tokens);
}

// Beside the state, whose gradients value tiles have parts of.
bool carries_rows(const Variant& variant) {
  return is_normalised(variant) || has_scan(variant) || variant.writes_again();
}

// Of a bidirectional variant.
Region reads_of_both(const KernelSource& source) {
  return {"reads", "what the queries have read of the states, float32", &Arguments::prepared_chunks,
          in_sixteens(Extent(Size::batch) * Size::tokens * Size::value_heads * std::int64_t{source.options.value_dim})};
}

}  // namespace

RecurrentLayout recurrent_layout(const KernelSource& source) { return make_recurrent_layout(sizes_of(source)); }
BackwardLayout backward_layout(const KernelSource& source) {
  return make_backward_layout(sizes_of(source), static_cast<int>(formula_ports(source, PortRole::gate).size()),
                              !source.variant.non_causal_);
}

SlopeLayout slope_layout(const KernelSource& source) {
  const auto columnwise = [](const Port& port) {
    return Columnwise{runs_over_keys(port.axes), port.axes.has(Axis::value)};
  };
  SlopeSizes sizes{.element_dim = source.options.key_dim,
                   .key_dim = features_of(source),
                   .value_dim = source.options.value_dim,
                   .value_tiles = tiles_of(source),
                   .reads_query = reads_query(source.variant),
                   .reads_key = reads_key(source.variant),
                   .is_normalised = is_normalised(source.variant),
                   .has_scan = has_scan(source.variant),
                   .scans_values = scans_values(source.variant),
                   .writes_again = source.variant.writes_again(),
                   .inputs = 0,
                   .parameters = 0,
                   .of_inputs = {},
                   .of_parameters = {},
                   .token_floats_before = source.beside_slopes.token_floats_before,
                   .token_floats_behind = source.beside_slopes.token_floats_behind,
                   .sequence_floats_before = source.beside_slopes.sequence_floats_before,
                   .sequence_floats_behind = source.beside_slopes.sequence_floats_behind};
  for (const Port& port : formula_ports(source, PortRole::gate)) sizes.of_inputs[sizes.inputs++] = columnwise(port);
  for (const Port& port : formula_ports(source, PortRole::parameter))
    sizes.of_parameters[sizes.parameters++] = columnwise(port);
  return make_slope_layout(sizes);
}

Extent in_sixteens(const Extent& floats) { return ceil_div(floats, 4) * 16; }

namespace recurrent {

bool has_full_decay(const Variant& variant) {
  return variant.decays_by_key() && variant.decays_by_value() && !decay_sides(variant);
}
int state_numbers(const Variant& variant, const CompileOptions& options) {
  return (options.dtype == dtype::f32 ? 2 : 1) * (variant.is_complex() ? 2 : 1);
}

std::vector<Kernel> kernels(const KernelSource& source) {
  if (source.variant.chains_) return chain_kernels(source);
  const bool has_rows = carries_rows(source.variant), carries_more = has_rows || has_running_max(source.variant),
             both = source.variant.bidirectional_;
  if (source.pass == Pass::decode)
    return carries_more && tiles_of(source) > 1 ? std::vector{decode(source), decode_sums(source)}
                                                : std::vector{decode(source)};
  std::vector<Kernel> all = both ? bidirectional_kernels(source) : std::vector<Kernel>();
  if (source.pass != Pass::backward) return both ? all : std::vector{forward(source)};
  if (!both && !source.variant.non_causal_) all.push_back(checkpoints(source));
  if (!both) all.push_back(backward(source));
  all.push_back(token_gradients(source));
  if (has_rows || !formula_ports(source, PortRole::parameter).empty()) all.push_back(parameter_gradients(source));
  return all;
}

std::vector<Region> regions(const KernelSource& source) {
  if (source.variant.chains_) return chain_regions(source);
  if (source.variant.bidirectional_ && source.pass == Pass::forward) return {reads_of_both(source)};
  if (source.pass != Pass::backward) return {};
  const SlopeLayout slopes = slope_layout(source);
  const std::int64_t state = std::int64_t{features_of(source)} * source.options.value_dim;
  const Extent heads = Size::value_heads;
  std::vector<Region> all{
      {"checkpoints", "the state before each run of " + std::to_string(run_tokens) + " tokens, float32",
       &Arguments::chunk_states, in_sixteens(slots_of(run_tokens) * heads * state)},
      {"token_slopes", "what each value tile has of the gradients of each token's steps and value head, float32",
       &Arguments::token_slopes,
       in_sixteens(Extent(Size::batch) * token_rows(source) * std::int64_t{source.variant.steps_} * heads *
                   std::int64_t{slopes.token_floats})},
      {"parameter_slopes",
       "what each value tile, sequence and value head have of the parameters' gradients, float32; behind that what blocks "
       "keep of states",
       &Arguments::parameter_slopes,
       in_sixteens(Extent(Size::sequences) * heads * std::int64_t{slopes.sequence_floats}) +
           backward_blocks(source) * std::int64_t{backward_layout(source).memory_bytes}}};
  if (source.variant.non_causal_)
    all.erase(all.begin());
  else if (is_normalised(source.variant))
    all.push_back({"checkpoint_sums", "the normaliser's sum there, float32", &Arguments::segment_states,
                   in_sixteens(slots_of(run_tokens) * heads * std::int64_t{features_of(source)})});
  if (source.variant.is_complex())
    all.push_back({"checkpoints_imaginary", "the state's imaginary part there, float32", &Arguments::segment_states,
                   all.front().bytes});
  if (has_scan(source.variant))
    all.push_back({"checkpoint_scans", "what a scan has summed up there, and what its rounding took away, float32",
                   &Arguments::prepared_chunks,
                   in_sixteens(slots_of(run_tokens) * heads *
                               (std::int64_t{2} *
                                (scans_values(source.variant) ? source.options.value_dim : features_of(source))))});
  if (has_running_max(source.variant))
    all.push_back({"checkpoint_maxima", "the running maximum there, and what its rounding took away, float32",
                   &Arguments::segment_decays, in_sixteens(slots_of(run_tokens) * heads * std::int64_t{2})});
  if (source.variant.bidirectional_) {
    all.push_back({"checkpoints_reversed", "the same of the walk from the last token to the first",
                   &Arguments::segment_states, all.front().bytes});
    all.push_back({"value_slopes", "what the first walk has of the gradient of v, float32", &Arguments::segment_decays,
                   reads_of_both(source).bytes});
    if (source.variant.has(Formula::output)) all.push_back(reads_of_both(source));
  }
  return all;
}

Kernel forward(const KernelSource& source) {
  Kernel kernel = walking(source, "forward");
  kernel.name = "recurrent";
  kernel.residents = residents(source, 16, 32);
  return source.variant.non_causal_ ? by_sides(kernel, "non_causal", "non_causal_forward") : kernel;
}
// Whether the state is all that a thread holds for long: no parameters of elements, no rows beside keys, decays and the key that
// erases, nothing that is carried along.
bool holds_little_else(const Variant& variant) {
  const auto has = [&](Formula formula) { return variant.has(formula); };
  return !recurrent::has_full_decay(variant) && !variant.is_complex() && !is_normalised(variant) &&
         std::ranges::none_of(
             std::array{Formula::erase_read, Formula::erase_write, Formula::value_erase, Formula::bonus, Formula::scan,
                        Formula::write_log_scale, Formula::write_lagged},
             has);
}

Kernel decode(const KernelSource& source) {
  Kernel kernel = walking(source, "decode");
  // 16-bit states wait in registers of their own until they are widened.
  if (source.options.state_dtype == dtype::f32 && holds_little_else(source.variant))
    kernel.residents = residents(source, 12, 128);
  return kernel;
}
Kernel decode_sums(const KernelSource& source) {
  Kernel kernel = walking(source, "decode_sums");
  kernel.header = "recurrent/decode.cuh";
  kernel.items = kernel.blocks = Extent(Size::sequences) * Size::value_heads;
  return kernel;
}
Kernel checkpoints(const KernelSource& source) { return walking(source, "checkpoints"); }

Kernel backward(const KernelSource& source) {
  const BackwardLayout layout = backward_layout(source);
  Kernel kernel = by_tiles(source, "backward", layout.token.threads, layout.bytes);
  kernel.check = counted(source, "BackwardTraits", "backward", layout.bytes);
  if (source.variant.non_causal_) return by_sides(kernel, "non_causal_backward", "non_causal_backward");
  kernel.blocks = backward_blocks(source);
  kernel.residents = backward_residents(layout);
  return kernel;
}

Kernel token_gradients(const KernelSource& source) {
  Kernel kernel = sum_of(source, "token_gradients");
  kernel.items = kernel.blocks = ceil_div(Extent(Size::batch) * token_rows(source), reduce_tokens);
  return source.variant.non_causal_ ? by_sides(kernel, "non_causal_reduce", "reduce_gradients_of_sides") : kernel;
}

// A warp for each element of the largest parameter; of a row of keys beside the initial state a thread.
Kernel parameter_gradients(const KernelSource& source) {
  Kernel kernel = sum_of(source, "parameter_gradients");
  Extent most = 1;
  for (const Port& port : formula_ports(source, PortRole::parameter)) {
    Extent elements = std::int64_t{runs_over_keys(port.axes) ? features_of(source) : 1} *
                      (port.axes.has(Axis::value) ? source.options.value_dim : 1);
    if (port.axes.has(Axis::heads)) elements = elements * Size::heads;
    if (port.axes.has(Axis::value_heads)) elements = elements * Size::value_heads;
    most = max(most, elements);
  }
  if (carries_rows(source.variant))
    most = max(most, ceil_div(Extent(Size::sequences) * Size::value_heads *
                                  std::int64_t{std::max(features_of(source),
                                                        scans_values(source.variant) ? source.options.value_dim : 0)},
                              32));
  kernel.items = kernel.blocks = ceil_div(most, reduce_threads / 32);
  return kernel;
}

}  // namespace recurrent

}  // namespace rankone
