// SPDX-License-Identifier: MIT
// What the backward pass in chunks derives from a Policy.
#pragma once

#include "kernels/backward_layout.cuh"
#include "kernels/policy.cuh"
#include "kernels/read.cuh"

namespace rankone {

template <class Policy> RK_CONSTEXPR BackwardSizes backward_sizes() {
  BackwardSizes sizes{};
  sizes.chunk = Policy::chunk;
  sizes.stages = Policy::stages;
  sizes.warps = Policy::warps;
  sizes.key_padded = padded_keys(Policy::key_dim);
  sizes.value_dim = Policy::value_dim;
  sizes.value_tile = Policy::value_tile;
  sizes.storage_bytes = static_cast<int>(sizeof(typename Policy::Storage));
  sizes.operand_bytes = static_cast<int>(sizeof(typename Policy::Operand));
  sizes.inputs = Policy::input_count;
  sizes.has_value = Policy::has_value;
  sizes.sums_rows = Policy::has_query || Policy::has_key || Policy::has_write_scale || weighs_own<Policy> ||
                    DecayTraits<Policy>::decays_by_key;
  sizes.weighs_own = weighs_own<Policy>;
  sizes.by_key = DecayTraits<Policy>::decays_by_key;
  for (int i = 0; i < Policy::input_count; ++i)
    if (has_axis(Policy::input_axes[i], key_axis)) sizes.input_bytes[i] = bytes_of(Policy::input_types[i]);
  return sizes;
}

RK_CONSTEXPR int width_of(unsigned axes, int key_dim, int value_dim) {
  return (has_axis(axes, key_axis) ? key_dim : 1) * (has_axis(axes, value_axis) ? value_dim : 1);
}
template <class Policy> RK_CONSTEXPR PartSizes part_sizes() {
  PartSizes sizes{};
  sizes.key_dim = Policy::key_dim;
  sizes.reads_key = Policy::reads_key;
  sizes.inputs = Policy::input_count;
  sizes.parameters = Policy::parameter_count;
  for (int i = 0; i < Policy::input_count; ++i)
    if (!has_axis(Policy::input_axes[i], value_head_axis))
      sizes.input_width[i] = width_of(Policy::input_axes[i], Policy::key_dim, Policy::value_dim);
  for (int i = 0; i < Policy::parameter_count; ++i)
    sizes.parameter_width[i] = width_of(Policy::parameter_axes[i], Policy::key_dim, Policy::value_dim);
  return sizes;
}

// Tensors that formulas read and that have no columns.
RK_CONSTEXPR bool has_columns(unsigned axes) { return has_axis(axes, key_axis) || has_axis(axes, value_axis); }
template <class Policy> RK_CONSTEXPR bool reads_head_inputs() {
  for (int i = 0; i < Policy::input_count; ++i)
    if (!has_columns(Policy::input_axes[i])) return true;
  return false;
}

template <class Policy> struct BackwardChunks : Policy, DecayTraits<Policy> {
  using Storage = typename Policy::Storage;
  using Operand = typename Policy::Operand;
  static constexpr BackwardSizes sizes = backward_sizes<Policy>();
  static constexpr int threads = Policy::warps * 32;
  static constexpr int key_padded = padded_keys(Policy::key_dim), value_padded = padded_values(Policy::value_dim);
  static constexpr int inputs = Policy::input_count > 0 ? Policy::input_count : 1;
  static constexpr int parameters = Policy::parameter_count > 0 ? Policy::parameter_count : 1;
  static constexpr SlopeLayout slopes = make_parts_layout(part_sizes<Policy>());
  static constexpr int value_tiles = 1, token_steps = 1, step_inputs = 0;  // that parts have
  static constexpr bool permuted = false;
  // Whether the operands differ from q and k.
  static constexpr bool rewrites_query = Policy::has_feature_map || Policy::has_query;
  static constexpr bool rewrites_key = Policy::has_feature_map || Policy::has_key;
  // Of blocks that walk states.
  static constexpr StateWalkLayout walk_layout = make_state_walk_layout(sizes);
  static constexpr int state_columns = 16 * state_column_warps(sizes);
  static constexpr int state_tiles = rankone::state_tiles(sizes);
  static constexpr int key_parts = Policy::warps / state_column_warps(sizes);
  static constexpr int state_blocks = key_blocks_of(sizes, key_parts);
  // Of blocks that have a chunk's gradients.
  static constexpr GradientsLayout layout = make_gradients_layout(sizes);
  static constexpr int rows = warp_rows(sizes), columns = warp_columns(sizes);  // of warps
  static constexpr int key_blocks = key_blocks_of(sizes, columns);              // of a warp, and so on
  static constexpr int score_blocks = (rows + columns - 1) / columns;
  static constexpr int value_blocks = (Policy::value_tile / 16 + columns - 1) / columns;
  static constexpr bool has_head_inputs = reads_head_inputs<Policy>();
  static constexpr bool has_gates = Policy::differentiates_decay;  // whose slopes somebody learns
  static constexpr bool decays_by_head = DecayTraits<Policy>::decays && !DecayTraits<Policy>::decays_by_key;
  static constexpr bool stages_inputs = false;  // of keys
  static_assert(Policy::chunk % sub_chunk == 0 && Policy::warps % rows == 0, "each row of warps has 16 tokens");
};

// Where inputs that run over keys wait in a stage.
template <class T> struct StagedInputs : T { static constexpr bool stages_inputs = T::decays_by_key; };

// The places of the states that stand in the workspace: [slots, HV, V, K], both padded.
template <class T> RK_DEVICE long long first_state_element(const Arguments& arguments, long long slot, int head) {
  return (slot * arguments.value_heads + head) * (static_cast<long long>(T::value_padded) * T::key_padded);
}

}  // namespace rankone
