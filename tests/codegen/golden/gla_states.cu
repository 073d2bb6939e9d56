// SPDX-License-Identifier: MIT
// gla: the state-only pass of a linear attention, written by Rankone 0.1.0.
//
//   S_t = Diag(exp(g)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t
//
// sizes     K = 64, V = 64; q, k, v, o bf16; g bf16
// schedule  hopper/serial chunk=64 value_tile=64 stages=4
// kernel    gla_states_k64v64_bf16_8a1c3cf0: 384 threads, 105704 bytes of dynamic shared memory
// spec      {"name":"gla","decay":{"kind":"per_key","log_decay":"input(g)"}}
//
// Stands alone, for sm_90a: nvcc -gencode=arch=compute_90a,code=sm_90a -c, or NVRTC; C++17 or later.

// ---- device/redundant.cuh -------------------------------------------------------------------------------------------
// ---- device/common.cuh ----------------------------------------------------------------------------------------------
// ---- device/types.cuh -----------------------------------------------------------------------------------------------
// ---- device/shared.cuh ----------------------------------------------------------------------------------------------
// ---- device/barrier.cuh ---------------------------------------------------------------------------------------------
// ---- device/cluster.cuh ---------------------------------------------------------------------------------------------
// ---- device/math.cuh ------------------------------------------------------------------------------------------------
// ---- device/warpgroup.cuh -------------------------------------------------------------------------------------------
// ---- hopper/range.cuh -----------------------------------------------------------------------------------------------
// ---- kernels/layout.cuh ---------------------------------------------------------------------------------------------
// ---- hopper/layout.cuh ----------------------------------------------------------------------------------------------
// ---- device/arguments.cuh -------------------------------------------------------------------------------------------
// ---- kernels/policy.cuh ---------------------------------------------------------------------------------------------
// ---- hopper/policy.cuh ----------------------------------------------------------------------------------------------
// ---- device/global.cuh ----------------------------------------------------------------------------------------------
// ---- kernels/sequence.cuh -------------------------------------------------------------------------------------------
// ---- hopper/segments.cuh --------------------------------------------------------------------------------------------
// ---- kernels/transfer.cuh -------------------------------------------------------------------------------------------
// ---- hopper/work_items.cuh ------------------------------------------------------------------------------------------
// ---- device/matrix.cuh ----------------------------------------------------------------------------------------------
// ---- device/tile.cuh ------------------------------------------------------------------------------------------------
// ---- kernels/fragment.cuh -------------------------------------------------------------------------------------------
// ---- kernels/states.cuh ---------------------------------------------------------------------------------------------
// ---- hopper/register_state.cuh --------------------------------------------------------------------------------------
// ---- hopper/swizzled_tile.cuh ---------------------------------------------------------------------------------------
// ---- hopper/warp_tile.cuh -------------------------------------------------------------------------------------------
// ---- hopper/consumer.cuh --------------------------------------------------------------------------------------------
// ---- hopper/cluster_share.cuh ---------------------------------------------------------------------------------------
// ---- kernels/at.cuh -------------------------------------------------------------------------------------------------
// ---- hopper/gates.cuh -----------------------------------------------------------------------------------------------
// ---- hopper/prepared_chunk.cuh --------------------------------------------------------------------------------------
// ---- device/copy.cuh ------------------------------------------------------------------------------------------------
// ---- kernels/row_units.cuh ------------------------------------------------------------------------------------------
// ---- kernels/source.cuh ---------------------------------------------------------------------------------------------
// ---- hopper/tile_source.cuh -----------------------------------------------------------------------------------------
// ---- hopper/work_queue.cuh ------------------------------------------------------------------------------------------
// ---- hopper/producer.cuh --------------------------------------------------------------------------------------------
// ---- hopper/forward.cuh ---------------------------------------------------------------------------------------------
// ---- hopper/bisection.cuh -------------------------------------------------------------------------------------------
// ---- hopper/key_range.cuh -------------------------------------------------------------------------------------------
// ---- hopper/key_share.cuh -------------------------------------------------------------------------------------------
// ---- hopper/key_steps.cuh -------------------------------------------------------------------------------------------
// ---- hopper/key_gates.cuh -------------------------------------------------------------------------------------------
// ---- hopper/causal_values.cuh ---------------------------------------------------------------------------------------
// ---- hopper/key_step.cuh --------------------------------------------------------------------------------------------
// ---- hopper/per_key.cuh ---------------------------------------------------------------------------------------------
// ---- this variant ----

namespace rankone {
inline namespace gla_states_k64v64_bf16_8a1c3cf0 {

struct Policy {
  using Storage = bf16;
  using Operand = bf16;
  static constexpr bool split_products = false;
  static constexpr unsigned char decay_axes = token_axis | value_head_axis | key_axis;
  static constexpr int key_dim = 64, value_dim = 64;
  static constexpr int chunk = 64, value_tile = 64, warps = 12, stages = 4;
  static constexpr int cluster = 1;
  static constexpr bool splits_sequences = false, keys_are_prepared = false, uses_tma = false, state_only = true;
  static constexpr bool has_key = false, has_write_scale = false, has_feature_map = false, reads_key = true, reads_position = false;
  static constexpr Read read = Read::inclusive;
  static constexpr Walk walk = Walk::ascending;
  static constexpr ElementType state_type = ElementType::f32;
  static constexpr StateLayout state_layout = StateLayout::dense;
  static constexpr bool value_major_state = false;
  static constexpr int input_count = 1;  // g
  static constexpr ElementType input_types[] = {ElementType::bf16};
  static constexpr unsigned char input_axes[] = {value_head_axis | key_axis};
  static constexpr int parameter_count = 0;
  static constexpr ElementType parameter_types[] = {ElementType::f32};
  static constexpr unsigned char parameter_axes[] = {0};
  struct Ports {
    static constexpr int q = 0, k = 1, v = 2, first_input = 3, first_parameter = 4, cu_seqlens = 4, start_positions = 5,
                         initial_state = 6, o = 7, final_state = 8, log_decay_total = 9,
                         count = 10, maps = 0;
  };
};

struct Gate {
  // log-decay = g
  template <class At> static RK_DEVICE float log_decay(const At& at) {
    return at.template input<0>();
  }
  template <class At> static RK_DEVICE float key(const At& at) { return at.key(); }
  template <class At> static RK_DEVICE float write_scale(const At&) { return 1.0f; }
  static RK_DEVICE float feature_map(float element) { return element; }
};

}  // namespace gla_states_k64v64_bf16_8a1c3cf0
}  // namespace rankone

static_assert(rankone::HopperTraits<rankone::Policy, rankone::Role::states>::layout.bytes == 105704);
extern "C" __global__ void __launch_bounds__(384, 1)
gla_states_k64v64_bf16_8a1c3cf0(rankone::ArgumentsOf<rankone::Policy> const __grid_constant__ arguments) {
  rankone::hopper_forward<rankone::Policy, rankone::PerKey<rankone::Gate>, rankone::Role::states>(arguments);
}

// What a loader of the cubin needs to know.
extern "C" __constant__ char gla_states_k64v64_bf16_8a1c3cf0_manifest[] =
    "{\"schema\":2,\"rankone\":\"0.1.0\",\"pass\":\"states\",\"variant\":{\"name\":\"gla\",\"decay\":{\"kind\":\"per_key\",\"log_decay\":\"input(g)\"}},\"K\":64,\"V\":64,\"dtype\":\"bf16\",\"schedule\":{\"family\":\"hopper\",\"level\":\"serial\",\"chunk\":64,\"value_tile\":64,\"stages\":4},\"kernels\":[{\"name\":\"states\",\"entry\":\"gla_states_k64v64_bf16_8a1c3cf0\",\"threads\":384,\"shared_bytes\":105704,\"cluster\":1,\"blocks\":{\"select\":[\"packed\",{\"multiply\":[\"N\",\"HV\"]},{\"min\":[{\"multiply\":[\"N\",\"HV\"]},\"multiprocessors\"]}]},\"items\":{\"multiply\":[\"N\",\"HV\"]}}]}";
