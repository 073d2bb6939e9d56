// SPDX-License-Identifier: MIT
// Everything that the Hopper skeleton derives from its Policy, in one place.
#pragma once

#include "hopper/column_layout.cuh"
#include "hopper/layout.cuh"
#include "kernels/policy.cuh"

namespace rankone {

// Which warpgroups a kernel has beside the producer.
template <class Policy, Role role>
inline constexpr bool role_has_gate_group = !Policy::keys_are_prepared || Duties<role>::prepares_keys;
template <Role role> inline constexpr bool role_has_consumers = Duties<role>::updates_state;

template <class Policy, Role role> RK_CONSTEXPR HopperSizes hopper_sizes() {
  HopperSizes sizes{};
  sizes.chunk = Policy::chunk;
  sizes.stages = Duties<role>::prepares_keys ? prepare_stages : Policy::stages;
  sizes.cluster = Policy::cluster;
  sizes.key_dim = Policy::key_dim;
  sizes.value_tile = Policy::value_tile;
  sizes.key_decays = DecayTraits<Policy>::decays_by_key ? padded_to_blocks(Policy::key_dim) : 1;
  sizes.reads_query = Duties<role>::reads_query;
  sizes.has_gate_group = role_has_gate_group<Policy, role>;
  sizes.has_consumers = role_has_consumers<role>;
  sizes.range_scaled = is_f16<typename Policy::Storage>;
  for (int i = 0; i < (sizes.has_gate_group ? Policy::input_count : 0); ++i) {
    sizes.input_bytes[i] = bytes_of(Policy::input_types[i]);
    sizes.input_columns[i] = has_axis(Policy::input_axes[i], key_axis) ? padded_to_blocks(Policy::key_dim) : 1;
  }
  if constexpr (DecayTraits<Policy>::decays_by_value) {
    for (int i = 0; i < Policy::input_count; ++i)
      if (has_axis(Policy::input_axes[i], value_axis)) sizes.input_columns[i] = tile_of_values(sizes);
    if (Policy::read == Read::bonus || (Policy::read == Read::inclusive && DecayTraits<Policy>::decays_by_key))
      reserve_own_products(sizes, Policy::input_count);
  }
  return sizes;
}

// Registers of a thread, by kind of warpgroup: multiples of 8. Their sum over a block's warpgroups is at most all_registers,
// which the blocks of a multiprocessor share. ptxas spills nothing with these.
//
//   kind      registers  where                             what they are for
//   producer  56         there is room                     places and strides of what it copies
//             48         two consumers, decays per key     the same: the gate warpgroup needs the rest more
//             40         chunks come prepared              fewer tensors
//   consumer  240        it is alone                       64 K / 128 for the state, 32 for the output, a read's operands
//             168        of two, decays per token          the operands of the whole state, read at once
//             128        of two, per key                   those of 64 keys at a time
//             136        the same, in float16              and their scales
//   gate      the rest   up to 208: more serve nothing     the work on gates is cut to them
//
// 0: as launched.
inline constexpr int multiprocessor_registers = 65536, all_registers = multiprocessor_registers / group_threads;
struct RegisterShares {
  int producer, gates, consumer;
};
RK_CONSTEXPR RegisterShares register_shares(const HopperLayout& layout, bool decays_by_key, bool range_scaled) {
  constexpr int producer_with_room = 56, producer_per_key = 48, producer_of_prepared = 40;
  constexpr int consumer_alone = 240, consumer_per_token = 168, consumer_per_key = 128, consumer_scaled = 136;
  constexpr int most_for_gates = 208, unit = 8;
  const int groups = layout.consumer_groups;
  if (groups == 0) return {producer_with_room, all_registers / prepare_residents - producer_with_room, 0};
  if (layout.gate_groups == 0) {
    if (groups == 1) return {};
    return {producer_of_prepared, 0, (all_registers - producer_of_prepared) / groups / unit * unit};
  }
  const int producer = groups == 1 || !decays_by_key ? producer_with_room : producer_per_key;
  const int consumer = groups == 1      ? consumer_alone
                       : !decays_by_key ? consumer_per_token
                       : range_scaled   ? consumer_scaled
                                        : consumer_per_key;
  const int rest = all_registers - producer - groups * consumer;
  return {producer, rest < most_for_gates ? rest : most_for_gates, consumer};
}

template <class Policy, Role role_> struct HopperTraits : Policy, Duties<role_>, DecayTraits<Policy> {
  using Storage = typename Policy::Storage;
  static constexpr HopperLayout layout = make_hopper_layout(hopper_sizes<Policy, role_>());
  static constexpr bool has_gate_group = role_has_gate_group<Policy, role_>, has_consumers = role_has_consumers<role_>;
  // Whether an item may be a part of a sequence, and whether workspace slots are those of chunks.
  static constexpr bool splits_sequences = Policy::splits_sequences || Duties<role_>::prepares_keys;
  static constexpr bool has_chunk_slots = Policy::keys_are_prepared;
  static constexpr int stages = Duties<role_>::prepares_keys ? prepare_stages : Policy::stages;
  static constexpr int input_count = has_gate_group ? Policy::input_count : 0;
  static constexpr int residents = Duties<role_>::prepares_keys ? prepare_residents : 1;
  static constexpr int launched_registers = multiprocessor_registers / layout.threads / residents / 8 * 8;
  static constexpr RegisterShares registers =
      register_shares(layout, DecayTraits<Policy>::decays_by_key, is_f16<Storage>);
  static constexpr int value_tiles =
      has_consumers ? (Policy::value_dim + Policy::value_tile - 1) / Policy::value_tile : 1;
  static constexpr int key_blocks = layout.key_padded / block_keys;
  static constexpr int cluster = Policy::cluster;
  static constexpr int key_ranks = layout.key_padded / layout.rank_columns;  // blocks that share the work on keys
  static constexpr int rank_key_blocks = layout.rank_columns / block_keys;
  static_assert(cluster == 1 || value_tiles % cluster == 0, "a cluster consists of neighbouring value tiles");
  static_assert(key_ranks == 1 ||
                    (DecayTraits<Policy>::decays_by_key && Policy::key_dim % (block_keys * key_ranks) == 0),
                "blocks share whole blocks of keys, where decays are per key");
  static constexpr int span = layout.span, spans = Policy::chunk / span;
  static constexpr bool range_scaled = is_f16<Storage>;  // operands whose range wants scales: range.cuh
  static_assert(!DecayTraits<Policy>::decays_by_value || !range_scaled,
                "value columns meet at factors that float16 does not hold");
  static constexpr bool has_query = false;  // what formulas of queries need is the portable family's alone
  static constexpr bool rewrites_query = Duties<role_>::reads_query && Policy::has_feature_map;
  static constexpr bool rewrites = Policy::has_feature_map || Policy::has_key;
};

// The stages in turn, and the parity of the barriers' present phase.
template <class Traits> struct Pipeline {
  int stage = 0, phase = 0;
  RK_DEVICE void advance() {
    if (++stage == Traits::stages) {
      stage = 0;
      phase ^= 1;
    }
  }
  RK_DEVICE int base() const { return stage * Traits::layout.stage_bytes; }
  RK_DEVICE int descriptor() const { return Traits::layout.descriptors + stage * descriptor_bytes; }  // of its chunk
  RK_DEVICE int full() const { return barrier(full_barrier); }  // the chunk has arrived
  // The gate warpgroup is done with it.
  RK_DEVICE int ready() const { return barrier(Traits::has_gate_group ? ready_barrier : full_barrier); }
  RK_DEVICE int empty() const { return barrier(empty_barrier); }  // nobody needs it any more

 private:
  RK_DEVICE int barrier(StageBarrier which) const {
    return Traits::layout.barriers + stage * (stage_barriers * barrier_bytes) + which * barrier_bytes;
  }
};

}  // namespace rankone
