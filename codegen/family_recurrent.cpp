// SPDX-License-Identifier: MIT
// The recurrent kernel family: it serves whatever can be declared; what fits into a block.
#include <algorithm>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/decay_sides.hpp>
#include <rankone/dsl/parts.hpp>

#include "codegen/chain.hpp"
#include "codegen/family.hpp"
#include "codegen/kernels.hpp"
#include "codegen/policy_lines.hpp"
#include "templates/recurrent/backward_layout.cuh"

namespace rankone {
namespace {

constexpr int most_state_registers = 128;  // of a thread; the rest is for what it works with
constexpr int spilling_warps = 8;          // that may hold more, where a block has all value columns of a large state

std::string why_one_too_large(const Target& target, const Schedule& schedule) {
  const RecurrentLayout layout = recurrent_layout({target.variant, target.options, schedule});
  const int numbers = recurrent::state_numbers(target.variant, target.options);
  const bool may_spill = context_of(target).has_one_tile && schedule.warps >= spilling_warps;
  if (!may_spill && layout.thread_rows * thread_columns * numbers > most_state_registers)
    return "the state takes more than " + std::to_string(most_state_registers) + " registers of a thread";
  if (reduces_keys(target.variant) && layout.rows > layout.threads)
    return "a sum over keys takes a thread for each of them, and there are " + std::to_string(layout.threads);
  return why_beyond_shared_memory(layout.bytes, target.limits);
}

// Of a chain both passes have the schedule, but for the tile of one whose values erase.
template <class Why> std::string why_any(const Target& target, const Schedule& schedule, const Why& why) {
  for (const Recurrence& pass : recurrences_of(target.variant, target.options)) {
    const Target own{pass.variant, pass.options, target.limits};
    const Schedule its = schedule_in(pass, schedule);
    if (its != schedule)
      for (const KnobRow& row : recurrent_knobs)
        if (std::string reason = row.why_not == nullptr ? "" : row.why_not(context_of(own), its); !reason.empty())
          return reason;
    if (std::string reason = why(own, its); !reason.empty()) return reason;
  }
  return {};
}
std::string why_too_large(const Target& target, const Schedule& schedule) {
  return why_any(target, schedule, why_one_too_large);
}

// Of a full decay each element has a sum for each parameter that runs over keys and values, too.
int sums_of(const Target& target) {
  int sums = 0;
  for (const Port& port : ports_of(ports(target.variant, target.options), PortRole::parameter))
    sums += runs_over_keys(port.axes) && port.axes.has(Axis::value) ? 2 : 0;
  return sums;
}

// Of a feature map with a dimension of its own.
void write_pieces(const KernelSource& source, PolicyLines& lines) {
  constexpr std::string_view widths[] = {"one", "elements", "pairs"};
  const Expression map = source.variant.formula(Formula::feature_map);
  const int count = has_features(source.variant) ? count_pieces(map) : 0;
  lines.integers({{"element_dim", source.options.key_dim}, {"piece_count", count}});
  if (count == 0) return;
  std::string pieces, reduced;
  for (int i = 0; i < count; ++i) {
    const Piece piece = piece_of(map, i);
    pieces += (i > 0 ? ", PieceWidth::" : "PieceWidth::") + std::string(widths[static_cast<int>(piece.width)]);
    reduced += std::string(i > 0 ? ", " : "") + (reduces_keys(piece.formula) ? "true" : "false");
  }
  lines.line("static constexpr PieceWidth pieces[] = {" + pieces + "};");
  lines.line("static constexpr bool piece_reduces[] = {" + reduced + "};");
}

// Whether one row of keys is erased by and written to, with the same weight: the state takes up the difference.
bool erases_as_it_writes(const Variant& variant) {
  return variant.has(Formula::erase) && !variant.has(Formula::erase_write) &&
         variant.formula(Formula::erase) == variant.formula(Formula::write_scale);
}

void write_policy(const KernelSource& source, PolicyLines& lines) {
  PolicyLines::List<bool> given;
  for (const Slot& slot : formula_slots)
    if (slot.absent.empty()) given.emplace_back("has_" + std::string(slot.name), source.variant.has(slot.formula));
  given.emplace_back("reads_query", reads_query(source.variant));
  given.emplace_back("reads_value", reads_value(source.variant));
  given.emplace_back("is_first_pass", source.variant.stage_ == Stage::first);
  given.emplace_back("is_second_pass", source.variant.stage_ == Stage::second);
  given.emplace_back("scans_values", has_scan(source.variant) && source.variant.stage_ == Stage::first);
  given.emplace_back("reduces_keys", reduces_keys(source.variant));
  given.emplace_back("feature_map_reads_place", map_reads_place(source.variant));
  given.emplace_back("erases_undecayed", source.variant.erases_undecayed_);
  given.emplace_back("erases_as_it_writes", erases_as_it_writes(source.variant));
  given.emplace_back("has_normaliser", is_normalised(source.variant));
  given.emplace_back("scans_exponentials", source.variant.scans_exponentials_);
  given.emplace_back("decays_on_both_sides", static_cast<bool>(decay_sides(source.variant)));
  given.emplace_back("permuted", source.variant.permuted_);
  given.emplace_back("non_causal", source.variant.non_causal_);
  given.emplace_back("bidirectional", source.variant.bidirectional_);
  given.emplace_back("splits_columns", recurrent::splits_columns(source.pass));
  given.emplace_back("stages_tokens", recurrent::stages_tokens(source.pass));
  if (source.pass == Pass::backward)
    for (const auto& [name, formula] :
         {std::pair("differentiates_decay", Formula::decay), std::pair("differentiates_phase", Formula::phase)})
      given.emplace_back(name, reads_tensors(source.variant.formula(formula)));
  lines.flags(given);
  write_pieces(source, lines);
  // A bit for each input that a token has for each of its steps.
  int step_inputs = 0, bit = 1;
  for (const Leaf& input : inputs_of(source.variant)) {
    if (is_of_steps(source.variant, input.view())) step_inputs |= bit;
    bit *= 2;
  }
  if (source.variant.stage_ != Stage::only && source.pass == Pass::backward)
    lines.integers({{"token_floats_before", source.beside_slopes.token_floats_before},
                    {"token_floats_behind", source.beside_slopes.token_floats_behind},
                    {"sequence_floats_before", source.beside_slopes.sequence_floats_before},
                    {"sequence_floats_behind", source.beside_slopes.sequence_floats_behind}});
  lines.integers({{"token_steps", source.variant.steps_}, {"step_inputs", step_inputs}});
  if (source.variant.non_causal_) lines.line(sides_of_inputs(source));
}

}  // namespace

namespace {

std::string why_one_too_large_back(const Target& target, const Schedule& schedule) {
  const BackwardLayout layout = backward_layout({target.variant, target.options, schedule, Pass::backward});
  // The state and its slopes.
  const int numbers = 2 * recurrent::state_numbers(target.variant, target.options) + sums_of(target);
  if (layout.token.thread_rows * thread_columns * numbers > most_state_registers)
    return "the state and its slopes take more than " + std::to_string(most_state_registers) + " registers of a thread";
  if (layout.bytes <= target.limits.shared_bytes_per_block) return {};
  return "a block keeps " + std::to_string(kept_steps(target.variant.steps_)) + " states of " +
         std::to_string(feature_dim(target.variant, target.options.key_dim)) + " keys" + " and " +
         std::to_string(schedule.value_tile) +
         " value columns: " + why_beyond_shared_memory(layout.bytes, target.limits);
}

// Beside what forward needs.
std::string why_too_large_back(const Target& target, const Schedule& schedule) {
  if (std::string reason = why_too_large(target, schedule); !reason.empty()) return reason;
  return why_any(target, schedule, why_one_too_large_back);
}

}  // namespace

const KernelFamily recurrent_family{
    .family = Family::recurrent,
    .name = "recurrent",
    .title = "the recurrent family",
    .knobs = recurrent_knobs,
    .parts = {~0u},
    .is_last_resort = true,
    .why_not_served = [](const Target&) { return Unserved{}; },
    .why_too_large = why_too_large,
    .operand_bytes = [](dtype) { return 4; },  // no products of matrices: float32 throughout
    .kernels = recurrent::kernels,
    .regions = recurrent::regions,
    .segment_tokens = key_tokens_of,
    .uses_tma = [](const KernelSource&) { return false; },
    .warps = [](const KernelSource& source) { return source.schedule.warps; },
    .write_policy = write_policy,
    .backward_knobs = recurrent_knobs,
    .why_no_backward = [](const Target&) { return std::string(); },
    .why_backward_too_large = why_too_large_back};

}  // namespace rankone
