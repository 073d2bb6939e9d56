// SPDX-License-Identifier: MIT
// Everything that the Hopper skeleton derives from its Policy, in one place.
#pragma once

#include "hopper/layout.cuh"
#include "kernels/policy.cuh"

namespace rankone {

// Which warpgroups a kernel has beside the producer.
template <class Policy, Role role>
inline constexpr bool role_has_gate_group = !Policy::prepared || Duties<role>::prepares_keys;
template <Role role> inline constexpr bool role_has_consumers = Duties<role>::updates_state;

template <class Policy, Role role> RK_CONSTEXPR HopperSizes hopper_sizes() {
  HopperSizes sizes{};
  sizes.chunk = Policy::chunk;
  sizes.stages = Duties<role>::prepares_keys ? prepare_stages : Policy::stages;
  sizes.cluster = Policy::cluster;
  sizes.key_dim = Policy::key_dim;
  sizes.value_tile = Policy::value_tile;
  sizes.per_key = Policy::decay == DecayKind::per_key;
  sizes.reads_query = Duties<role>::reads_query;
  sizes.has_gate_group = role_has_gate_group<Policy, role>;
  sizes.has_consumers = role_has_consumers<role>;
  sizes.range_scaled = is_f16<typename Policy::Storage>;
  for (int i = 0; i < (sizes.has_gate_group ? Policy::input_count : 0); ++i) {
    sizes.input_bytes[i] = bytes_of(Policy::input_types[i]);
    sizes.input_is_per_key[i] = Policy::input_is_per_key[i];
  }
  return sizes;
}

// Registers a thread of each kind of warpgroup; together no more than the block is launched with. 0: as launched.
struct RegisterShares {
  int producer, gates, consumer;
};
RK_CONSTEXPR RegisterShares register_shares(const HopperLayout& layout, bool per_key, bool range_scaled) {
  if (layout.consumer_groups == 0) return {56, 200, 0};
  if (layout.gate_groups == 0) return layout.consumer_groups == 1 ? RegisterShares{} : RegisterShares{40, 0, 232};
  if (layout.consumer_groups == 1) return {56, 208, 240};
  if (!per_key) return {56, 120, 168};
  return range_scaled ? RegisterShares{48, 192, 136} : RegisterShares{48, 208, 128};
}

template <class Policy, Role role_> struct HopperTraits : Policy, Duties<role_> {
  using Storage = typename Policy::Storage;
  static constexpr HopperLayout layout = make_hopper_layout(hopper_sizes<Policy, role_>());
  static constexpr bool has_gate_group = role_has_gate_group<Policy, role_>, has_consumers = role_has_consumers<role_>;
  static constexpr bool in_segments = Policy::in_segments || Duties<role_>::prepares_keys;
  static constexpr int stages = Duties<role_>::prepares_keys ? prepare_stages : Policy::stages;
  static constexpr int input_count = has_gate_group ? Policy::input_count : 0;
  static constexpr int residents = Duties<role_>::prepares_keys ? prepare_residents : 1;
  static constexpr int launched_registers = 65536 / layout.threads / residents / 8 * 8;
  static constexpr RegisterShares registers =
      register_shares(layout, Policy::decay == DecayKind::per_key, is_f16<Storage>);
  static constexpr int value_tiles =
      has_consumers ? (Policy::value_dim + Policy::value_tile - 1) / Policy::value_tile : 1;
  static constexpr int key_blocks = layout.key_padded / 64;
  static constexpr int cluster = Policy::cluster;
  static constexpr int key_ranks = layout.key_padded / layout.rank_columns;  // blocks that share the work on keys
  static constexpr int rank_key_blocks = layout.rank_columns / 64;
  static_assert(cluster == 1 || value_tiles % cluster == 0, "a cluster consists of neighbouring value tiles");
  static_assert(key_ranks == 1 || (Policy::decay == DecayKind::per_key && Policy::key_dim % (64 * key_ranks) == 0),
                "blocks share whole blocks of keys, where decays are per key");
  static constexpr int span = layout.span, spans = Policy::chunk / span;
  static constexpr bool per_key = Policy::decay == DecayKind::per_key;
  static constexpr bool range_scaled = is_f16<Storage>;  // operands whose range wants scales: range.cuh
  static constexpr bool weighted = Policy::decay != DecayKind::none || Policy::has_write_scale;
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
  RK_DEVICE int descriptor() const { return Traits::layout.descriptors + stage * 16; }  // which chunk it holds
  RK_DEVICE int full() const { return Traits::layout.barriers + stage * 24; }           // the chunk has arrived
  RK_DEVICE int ready() const {
    return full() + (Traits::has_gate_group ? 8 : 0);
  }                                                    // the gate warpgroup is done with it
  RK_DEVICE int empty() const { return full() + 16; }  // nobody needs it any more
};

}  // namespace rankone
