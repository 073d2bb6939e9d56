// SPDX-License-Identifier: MIT
// What decides which schedule is fast: the structure of a variant, its types, and the size of the work.
#include <bit>

#include <rankone/dsl.hpp>
#include <rankone/dsl/carried.hpp>

#include "autotune/database.hpp"
#include "codegen/chain.hpp"
#include "codegen/names.hpp"
#include "codegen/ports.hpp"

namespace rankone {
namespace {

// Of a chain, the passes that read a tensor: each has kernels of its own, and its gradient is the sum over both.
std::string readers_text(const Variant& variant, const Leaf& leaf) {
  if (!variant.chains_) return {};
  const auto reads = [&](Stage pass) {
    return leaves_of(stage(variant, pass), leaf.operation).index_of(leaf.view()) >= 0;
  };
  return !reads(Stage::second) ? "@first" : !reads(Stage::first) ? "@second" : "@both";
}

std::string axes_text(const Variant& variant, const Leaves& leaves) {
  std::string text;
  for (const Leaf& leaf : leaves) {
    text += text.empty() ? "" : ",";
    std::string separator;
    for (const auto& each : axis_names) {
      if (!leaf.axes.has(each.value)) continue;
      text += separator + std::string(each.name);
      separator = ".";
    }
    text += readers_text(variant, leaf);
  }
  return text;
}

// Features that are not one of an element: "1+K+KK".
std::string pieces_text(const Variant& variant) {
  constexpr std::string_view widths[] = {"1", "K", "KK"};
  const Expression map = variant.formula(Formula::feature_map);
  std::string text;
  for (int i = 0; i < count_pieces(map); ++i)
    text += (text.empty() ? "" : "+") + std::string(widths[static_cast<int>(piece_of(map, i).width)]);
  return text;
}

std::string kind_of(const Variant& variant, const Slot& slot) {
  if (slot.formula == Formula::feature_map && has_features(variant)) return pieces_text(variant);
  if (slot.has_domains()) return std::string(name_in(decay_names, variant.domain(slot.formula)));
  return variant.has(slot.formula) ? "yes" : "no";
}

// What a chain's second pass has, which the first one's rows leave out.
std::string second_pass_text(const Variant& chain) {
  const Variant pass = second_pass_of(chain);
  std::string text;
  for (const Slot& slot : formula_slots)
    if (pass.has(slot.formula)) text += "then_" + std::string(slot.member) + "=" + kind_of(pass, slot) + " ";
  for (const Switch& each : switches)
    if (pass.*each.flag) text += "then_" + std::string(each.member) + "=" + std::string(each.on) + " ";
  return text;
}

int bucket(std::int64_t size) { return std::bit_width(static_cast<std::uint64_t>(size) - 1); }

}  // namespace

TunedKey tuned_key(const Variant& variant, const CompileOptions& options, const Shape& shape, Pass pass) {
  TunedKey key{.pass = std::string(name_in(pass_names, pass)),
               .structure = {},
               .types = {},
               .key_dim = options.key_dim,
               .value_dim = options.value_dim};
  // What most variants lack is named where there is any, so that keys of earlier versions stay.
  for (const Slot& slot : formula_slots)
    if (!slot.absent.empty() || variant.has(slot.formula))
      key.structure += std::string(slot.member) + "=" + kind_of(variant, slot) + " ";
  for (const Switch& each : switches)
    if (variant.*each.flag) key.structure += std::string(each.member) + "=" + std::string(each.on) + " ";
  for (const CarriedState& each : carried_states)
    if (each.is_in(variant)) key.structure += std::string(each.name) + "=yes ";
  if (variant.chains_) key.structure += second_pass_text(variant) + "slots=" + std::to_string(slots_of(options)) + " ";
  if (variant.steps_ > 1) key.structure += "steps=" + std::to_string(variant.steps_) + " ";
  if (!reads_query(variant)) key.structure += "q=no ";
  key.structure += std::string("k=") + (reads_key(variant) ? "yes" : "no") +
                   " inputs=" + axes_text(variant, inputs_of(variant)) +
                   " parameters=" + axes_text(variant, parameters_of(variant));
  key.types = name_of(options.dtype);
  for (const Port& gate : ports_of(ports(variant, options), PortRole::gate))
    key.types += std::string(" ") + name_of(gate.type);
  key.types += options.precision == Precision::f32 ? " f32" : " tf32";
  if (options.state_dtype != dtype::f32) key.types += std::string(" states_") + name_of(options.state_dtype);
  if (options.value_major_state) key.types += " value_major";
  key.tokens_bucket = bucket(shape.tokens);
  key.rows_bucket = bucket(shape.batch * (shape.value_heads != 0 ? shape.value_heads : shape.heads));
  return key;
}

}  // namespace rankone
