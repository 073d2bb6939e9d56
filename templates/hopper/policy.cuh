// SPDX-License-Identifier: MIT
// Everything that the Hopper skeleton derives from its Policy, in one place.
#pragma once

#include "hopper/layout.cuh"
#include "kernels/policy.cuh"

namespace rankone {

template <class Policy, Role role> RK_CONSTEXPR HopperSizes hopper_sizes() {
  HopperSizes sizes{};
  sizes.chunk = Policy::chunk;
  sizes.stages = Policy::stages;
  sizes.cluster = Policy::cluster;
  sizes.key_dim = Policy::key_dim;
  sizes.value_tile = Policy::value_tile;
  sizes.per_key = Policy::decay == DecayKind::per_key;
  sizes.reads_output = role != Role::states;
  sizes.narrow = is_f16<typename Policy::Storage>;
  for (int i = 0; i < Policy::input_count; ++i) {
    sizes.input_bytes[i] = bytes_of(Policy::input_types[i]);
    sizes.input_is_per_key[i] = Policy::input_is_per_key[i];
  }
  return sizes;
}

// Registers a thread of each kind of warpgroup; together no more than the block is launched with.
struct RegisterShares {
  int loader, helper, state;
};
RK_CONSTEXPR RegisterShares register_shares(const HopperLayout& layout, bool per_key) {
  if (layout.state_groups == 1) return {56, 208, 240};
  return per_key ? RegisterShares{56, 168, 144} : RegisterShares{56, 120, 168};
}

template <class Policy, Role role_> struct HopperTraits : Policy {
  using Storage = typename Policy::Storage;
  static constexpr Role role = role_;
  static constexpr HopperLayout layout = make_hopper_layout(hopper_sizes<Policy, role_>());
  static constexpr int launched_registers = 65536 / layout.threads / 8 * 8;
  static constexpr RegisterShares registers = register_shares(layout, Policy::decay == DecayKind::per_key);
  static constexpr int value_tiles = (Policy::value_dim + Policy::value_tile - 1) / Policy::value_tile;
  static constexpr int panels = layout.key_padded / 64;
  static constexpr int group_panels = panels / layout.key_groups;  // of a state warpgroup
  static constexpr int own_panels = layout.own_columns / 64;
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
  RK_DEVICE int note() const { return Traits::layout.notes + stage * 16; }     // which chunk it holds
  RK_DEVICE int full() const { return Traits::layout.barriers + stage * 24; }  // the chunk has arrived
  RK_DEVICE int ready() const { return full() + 8; }                           // the helpers are done with it
  RK_DEVICE int free() const { return full() + 16; }                           // nobody needs it any more
};

}  // namespace rankone
