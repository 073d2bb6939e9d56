// SPDX-License-Identifier: MIT
// Everything that the Hopper skeleton derives from its Policy, in one place.
#pragma once

#include "hopper/layout.cuh"
#include "kernels/policy.cuh"

namespace rankone {

// Which warpgroups a kernel has beside the loader.
template <class Policy, Role role> inline constexpr bool role_has_helpers = !Policy::prepared || role == Role::prepare;
template <Role role> inline constexpr bool role_has_states = role != Role::prepare;

template <class Policy, Role role> RK_CONSTEXPR HopperSizes hopper_sizes() {
  HopperSizes sizes{};
  sizes.chunk = Policy::chunk;
  sizes.stages = role == Role::prepare ? prepare_stages : Policy::stages;
  sizes.cluster = Policy::cluster;
  sizes.key_dim = Policy::key_dim;
  sizes.value_tile = Policy::value_tile;
  sizes.per_key = Policy::decay == DecayKind::per_key;
  sizes.reads_output = role != Role::states;
  sizes.has_helpers = role_has_helpers<Policy, role>;
  sizes.has_states = role_has_states<role>;
  sizes.narrow = is_f16<typename Policy::Storage>;
  for (int i = 0; i < (sizes.has_helpers ? Policy::input_count : 0); ++i) {
    sizes.input_bytes[i] = bytes_of(Policy::input_types[i]);
    sizes.input_is_per_key[i] = Policy::input_is_per_key[i];
  }
  return sizes;
}

// Registers a thread of each kind of warpgroup; together no more than the block is launched with. 0: as launched.
struct RegisterShares {
  int loader, helper, state;
};
RK_CONSTEXPR RegisterShares register_shares(const HopperLayout& layout, bool per_key, bool narrow) {
  if (layout.state_groups == 0) return {56, 200, 0};
  if (layout.helper_groups == 0) return layout.state_groups == 1 ? RegisterShares{} : RegisterShares{40, 0, 232};
  if (layout.state_groups == 1) return {56, 208, 240};
  if (!per_key) return {56, 120, 168};
  return narrow ? RegisterShares{48, 192, 136} : RegisterShares{48, 208, 128};
}

template <class Policy, Role role_> struct HopperTraits : Policy {
  using Storage = typename Policy::Storage;
  static constexpr Role role = role_;
  static constexpr HopperLayout layout = make_hopper_layout(hopper_sizes<Policy, role_>());
  static constexpr bool has_helpers = role_has_helpers<Policy, role_>, has_states = role_has_states<role_>;
  static constexpr bool in_segments = Policy::in_segments || role_ == Role::prepare;
  static constexpr int stages = role_ == Role::prepare ? prepare_stages : Policy::stages;
  static constexpr int input_count = has_helpers ? Policy::input_count : 0;
  static constexpr int residents = role_ == Role::prepare ? prepare_residents : 1;
  static constexpr int launched_registers = 65536 / layout.threads / residents / 8 * 8;
  static constexpr RegisterShares registers =
      register_shares(layout, Policy::decay == DecayKind::per_key, is_f16<Storage>);
  static constexpr int value_tiles = has_states ? (Policy::value_dim + Policy::value_tile - 1) / Policy::value_tile : 1;
  static constexpr int panels = layout.key_padded / 64;
  static constexpr int cluster = Policy::cluster;
  static constexpr int key_owners = layout.key_padded / layout.own_columns;  // blocks that share the work on keys
  static constexpr int own_panels = layout.own_columns / 64;
  static_assert(cluster == 1 || value_tiles % cluster == 0, "a cluster consists of neighbouring value tiles");
  static_assert(key_owners == 1 || (Policy::decay == DecayKind::per_key && Policy::key_dim % (64 * key_owners) == 0),
                "blocks share whole panels of keys, where decays are per key");
  static constexpr int span = layout.span, spans = Policy::chunk / span;
  static constexpr bool per_key = Policy::decay == DecayKind::per_key;
  static constexpr bool narrow = is_f16<Storage>;  // operands whose range wants scales: range.cuh
  static constexpr bool weighted = Policy::decay != DecayKind::none || Policy::has_write_scale;
  static constexpr bool rewrites = Policy::has_feature_map || Policy::has_key;
};

// The stages in turn, and the parity of the barriers' present phase.
template <class Traits> struct Ring {
  int stage = 0, phase = 0;
  RK_DEVICE void advance() {
    if (++stage == Traits::stages) {
      stage = 0;
      phase ^= 1;
    }
  }
  RK_DEVICE int base() const { return stage * Traits::layout.stage_bytes; }
  RK_DEVICE int note() const { return Traits::layout.notes + stage * 16; }        // which chunk it holds
  RK_DEVICE int full() const { return Traits::layout.barriers + stage * 24; }     // the chunk has arrived
  RK_DEVICE int ready() const { return full() + (Traits::has_helpers ? 8 : 0); }  // the helpers are done with it
  RK_DEVICE int free() const { return full() + 16; }                              // nobody needs it any more
};

}  // namespace rankone
