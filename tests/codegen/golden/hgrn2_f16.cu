// SPDX-License-Identifier: MIT
// hgrn2: the forward pass of a linear attention, written by Rankone 0.1.0.
//
//   S_t = Diag(a_t) S_{t-1} + (1 - a_t)^T v_t; a_t = lower_bound + (1 - lower_bound) * sigmoid(x); o_t = K^-0.5 q_t S_t
//
// sizes     K = 128, V = 128; q, k, v, o f16; x f16; lower_bound f32
// schedule  hopper/serial chunk=64 value_tile=128 stages=3
// kernel    hgrn2_forward_k128v128_f16_f80c9387: 512 threads, 229728 bytes of dynamic shared memory
// spec      {"name":"hgrn2","decay":{"kind":"per_key","log_decay":"log(param(lower_bound) + (1 - param(lower_bound)) * sigmoid(input(x)))"},"key":"1 - decay()"}
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
// ---- kernels/parameter.cuh ------------------------------------------------------------------------------------------
// ---- kernels/at.cuh -------------------------------------------------------------------------------------------------
// ---- hopper/gates.cuh -----------------------------------------------------------------------------------------------
// ---- device/tensor_copy.cuh -----------------------------------------------------------------------------------------
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
// ---- kernels/read.cuh -----------------------------------------------------------------------------------------------
// ---- hopper/key_gates.cuh -------------------------------------------------------------------------------------------
// ---- hopper/causal_values.cuh ---------------------------------------------------------------------------------------
// ---- hopper/key_step.cuh --------------------------------------------------------------------------------------------
// ---- hopper/per_key.cuh ---------------------------------------------------------------------------------------------
// ---- this variant ----

namespace rankone {
inline namespace hgrn2_forward_k128v128_f16_f80c9387 {

struct Policy {
  using Storage = f16;
  using Operand = f16;
  static constexpr bool split_products = false;
  static constexpr unsigned char decay_axes = token_axis | value_head_axis | key_axis;
  static constexpr int key_dim = 128, value_dim = 128;
  static constexpr int chunk = 64, value_tile = 128, warps = 16, stages = 3;
  static constexpr int cluster = 1;
  static constexpr bool splits_sequences = false, keys_are_prepared = false, uses_tma = true, state_only = false;
  static constexpr int key_growth_log2 = 0;
  static constexpr bool has_key = true, has_write_scale = false, has_feature_map = false, reads_key = false, reads_position = false;
  static constexpr Read read = Read::inclusive;
  static constexpr Walk walk = Walk::ascending;
  static constexpr ElementType state_type = ElementType::f32;
  static constexpr StateLayout state_layout = StateLayout::dense;
  static constexpr bool value_major_state = false;
  static constexpr int input_count = 1;  // x
  static constexpr ElementType input_types[] = {ElementType::f16};
  static constexpr unsigned char input_axes[] = {value_head_axis | key_axis};
  static constexpr int parameter_count = 1;  // lower_bound
  static constexpr ElementType parameter_types[] = {ElementType::f32};
  static constexpr unsigned char parameter_axes[] = {value_head_axis | key_axis};
  struct Ports {
    static constexpr int q = 0, k = 1, v = 2, first_input = 3, first_parameter = 4, cu_seqlens = 5, start_positions = 6,
                         initial_state = 7, o = 8, final_state = 9, log_decay_total = 10,
                         count = 11, maps = 4;
  };
};

struct Gate {
  // log-decay = log(lower_bound + (1 - lower_bound) * sigmoid(x))
  template <class At> static RK_DEVICE float log_decay(const At& at) {
    const float t1 = at.template parameter<0>();
    return log(t1 + (1.0f - t1) * sigmoid(at.template input<0>()));
  }
  // written key = 1 - decay
  template <class At> static RK_DEVICE float key(const At& at) {
    return 1.0f - at.decay();
  }
  template <class At> static RK_DEVICE float write_scale(const At&) { return 1.0f; }
  static RK_DEVICE float feature_map(float element) { return element; }
};

}  // namespace hgrn2_forward_k128v128_f16_f80c9387
}  // namespace rankone

static_assert(rankone::HopperTraits<rankone::Policy, rankone::Role::scan>::layout.bytes == 229728);
extern "C" __global__ void __launch_bounds__(512, 1)
hgrn2_forward_k128v128_f16_f80c9387(rankone::ArgumentsOf<rankone::Policy> const __grid_constant__ arguments) {
  rankone::hopper_forward<rankone::Policy, rankone::PerKey<rankone::Gate>, rankone::Role::scan>(arguments);
}

// What a loader of the cubin needs to know.
extern "C" __constant__ char hgrn2_forward_k128v128_f16_f80c9387_manifest[] =
    "{\"schema\":2,\"rankone\":\"0.1.0\",\"pass\":\"forward\",\"variant\":{\"name\":\"hgrn2\",\"decay\":{\"kind\":\"per_key\",\"log_decay\":\"log(param(lower_bound) + (1 - param(lower_bound)) * sigmoid(input(x)))\"},\"key\":\"1 - decay()\"},\"K\":128,\"V\":128,\"dtype\":\"f16\",\"schedule\":{\"family\":\"hopper\",\"level\":\"serial\",\"chunk\":64,\"value_tile\":128,\"stages\":3},\"kernels\":[{\"name\":\"scan\",\"entry\":\"hgrn2_forward_k128v128_f16_f80c9387\",\"threads\":512,\"shared_bytes\":229728,\"cluster\":1,\"blocks\":{\"select\":[\"packed\",{\"multiply\":[\"N\",\"HV\"]},{\"min\":[{\"multiply\":[\"N\",\"HV\"]},\"multiprocessors\"]}]},\"items\":{\"multiply\":[\"N\",\"HV\"]}}]}";
