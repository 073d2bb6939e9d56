// SPDX-License-Identifier: MIT
// What a variant may have beside a decay by head or key and a read of each token with its own write, and for which of these
// parts there is a form in chunks.
#pragma once

#include <array>
#include <string_view>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/decay_sides.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/part_set.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

struct PartRow {
  Part part;
  std::string_view text;
  bool (*is_in)(const Variant&);
};
// Whether its feature map tells tokens or heads apart.
constexpr bool maps_by_place(const Variant& variant) {
  const Expression map = variant.formula(Formula::feature_map);
  for (const Operation leaf : {Operation::scalar, Operation::head, Operation::heads, Operation::position})
    if (reads(map, leaf)) return true;
  return false;
}
// Whether that, or a row that it reduces, has to be known beside an element.
constexpr bool map_reads_place(const Variant& variant) {
  return maps_by_place(variant) || reduces_keys(variant.formula(Formula::feature_map));
}
inline constexpr std::array variant_parts{
    PartRow{Part::chain, "a second pass", [](const Variant& v) { return v.chains_; }},
    PartRow{Part::features, "a feature dimension of its own", [](const Variant& v) { return has_features(v); }},
    PartRow{Part::feature_leaves, "a feature map that reads more than its element", maps_by_place},
    PartRow{Part::key_reduction, "a sum or maximum over keys", [](const Variant& v) { return reduces_keys(v); }},
    PartRow{Part::erasure, "what is erased of the state", [](const Variant& v) { return v.erases(); }},
    PartRow{Part::element_decay, "decays of single elements",
            [](const Variant& v) { return v.decays_by_key() && v.decays_by_value() && !decay_sides(v); }},
    PartRow{Part::value_decay, "decays of value columns", [](const Variant& v) { return v.decays_by_value(); }},
    PartRow{Part::earlier_read, "reads of the state before a token", [](const Variant& v) { return v.reads_before(); }},
    PartRow{Part::reversed_walk, "a walk from the last token to the first",
            [](const Variant& v) { return v.reversed_; }},
    PartRow{Part::non_causal, "queries that read all keys", [](const Variant& v) { return v.non_causal_; }},
    PartRow{Part::both_directions, "walks in both directions", [](const Variant& v) { return v.bidirectional_; }},
    PartRow{Part::permuted_walk, "a walk in an order that calls give", [](const Variant& v) { return v.permuted_; }},
    PartRow{Part::query, "a formula for the query", [](const Variant& v) { return v.has(Formula::query); }},
    PartRow{Part::value, "a formula for the written value", [](const Variant& v) { return v.has(Formula::value); }},
    PartRow{Part::normaliser, "a normaliser", is_normalised},
    PartRow{Part::running_max, "a running maximum of write scales", has_running_max},
    PartRow{Part::several_steps, "several steps a token", [](const Variant& v) { return v.steps_ != 1; }},
    PartRow{Part::phase, "a complex decay", [](const Variant& v) { return v.is_complex(); }},
    PartRow{Part::scan, "a scan over tokens", has_scan},
    PartRow{Part::lagged_write, "a lagged write", [](const Variant& v) { return v.writes_again(); }},
    PartRow{Part::unread_query, "a query that is not made of q", [](const Variant& v) { return !reads_query(v); }},
    PartRow{Part::output, "a formula for the output", [](const Variant& v) { return v.has(Formula::output); }},
};

// The first part of a variant that is not among these, in words; empty where there is none.
constexpr std::string_view part_beyond(const Variant& variant, Parts known) {
  for (const PartRow& row : variant_parts)
    if (!known.has(row.part) && row.is_in(variant)) return row.text;
  return {};
}

// For these there are forms in chunks: all of the portable family, which of another family its table says.
inline constexpr Parts parts_in_chunks =
    set_of({Part::value_decay, Part::earlier_read, Part::reversed_walk, Part::non_causal, Part::query, Part::value,
            Part::normaliser, Part::output});
constexpr std::string_view part_without_chunks(const Variant& variant) { return part_beyond(variant, parts_in_chunks); }

// Under these a state is decayed by decays of heads or keys alone, and then written to.
inline constexpr Parts parts_beside_states =
    set_of({Part::earlier_read, Part::reversed_walk, Part::query, Part::value, Part::output});

}  // namespace rankone
