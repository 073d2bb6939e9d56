// SPDX-License-Identifier: MIT
// mamba2: the forward pass of a linear attention, written by Rankone 0.1.0.
//
//   S_t = exp(-exp(A_log) * softplus(dt + dt_bias)) S_{t-1} + softplus(dt + dt_bias) k_t^T v_t; o_t = q_t S_t
//
// sizes     K = 40, V = 72; q, k, v, o f32; dt f32; A_log f32; dt_bias f32
// schedule  portable/serial chunk=16 value_tile=128 warps=8 stages=2
// kernel    mamba2_forward_k40v72_f32_00bacf7e: 256 threads, 31760 bytes of dynamic shared memory
// spec      {"name":"mamba2","decay":{"kind":"per_head","log_decay":"-exp(param(A_log)) * softplus(input(dt) + param(dt_bias))"},"write_scale":"softplus(input(dt) + param(dt_bias))","scale":1.0}
//
// Stands alone, for sm_80 and later: nvcc -arch=sm_80 -c, or NVRTC; C++17 or later.

// ---- device/common.cuh ----------------------------------------------------------------------------------------------
// ---- device/types.cuh -----------------------------------------------------------------------------------------------
// ---- device/shared.cuh ----------------------------------------------------------------------------------------------
// ---- device/matrix.cuh ----------------------------------------------------------------------------------------------
// ---- device/tile.cuh ------------------------------------------------------------------------------------------------
// ---- kernels/fragment.cuh -------------------------------------------------------------------------------------------
// ---- device/math.cuh ------------------------------------------------------------------------------------------------
// ---- device/global.cuh ----------------------------------------------------------------------------------------------
// ---- device/arguments.cuh -------------------------------------------------------------------------------------------
// ---- kernels/layout.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/policy.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/parameter.cuh ------------------------------------------------------------------------------------------
// ---- kernels/at.cuh -------------------------------------------------------------------------------------------------
// ---- kernels/exponent.cuh -------------------------------------------------------------------------------------------
// ---- kernels/read.cuh -----------------------------------------------------------------------------------------------
// ---- device/copy.cuh ------------------------------------------------------------------------------------------------
// ---- kernels/row_units.cuh ------------------------------------------------------------------------------------------
// ---- kernels/sequence.cuh -------------------------------------------------------------------------------------------
// ---- kernels/source.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/stage.cuh ----------------------------------------------------------------------------------------------
// ---- kernels/gates.cuh ----------------------------------------------------------------------------------------------
// ---- kernels/scores.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/states.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/state.cuh ----------------------------------------------------------------------------------------------
// ---- kernels/recurrence.cuh -----------------------------------------------------------------------------------------
// ---- kernels/transfer.cuh -------------------------------------------------------------------------------------------
// ---- kernels/scan.cuh -----------------------------------------------------------------------------------------------
// ---- this variant ----

namespace rankone {
inline namespace mamba2_forward_k40v72_f32_00bacf7e {

struct Policy {
  using Storage = float;
  using Operand = float;
  static constexpr bool split_products = true;
  static constexpr unsigned char decay_axes = token_axis | value_head_axis;
  static constexpr int key_dim = 40, value_dim = 72;
  static constexpr int chunk = 16, value_tile = 128, warps = 8, stages = 2;
  static constexpr bool has_query = false, has_value = false, has_output = false, keeps_values = false, decays_on_both_sides = false;
  static constexpr bool has_key = false, has_write_scale = true, has_feature_map = false, reads_key = true, reads_position = false;
  static constexpr Read read = Read::inclusive;
  static constexpr Walk walk = Walk::ascending;
  static constexpr ElementType state_type = ElementType::f32;
  static constexpr StateLayout state_layout = StateLayout::dense;
  static constexpr bool value_major_state = false;
  static constexpr int input_count = 1;  // dt
  static constexpr ElementType input_types[] = {ElementType::f32};
  static constexpr unsigned char input_axes[] = {value_head_axis};
  static constexpr int parameter_count = 2;  // A_log, dt_bias
  static constexpr ElementType parameter_types[] = {ElementType::f32, ElementType::f32};
  static constexpr unsigned char parameter_axes[] = {value_head_axis, value_head_axis};
  struct Ports {
    static constexpr int q = 0, k = 1, v = 2, first_input = 3, first_parameter = 4, cu_seqlens = 6, start_positions = 7,
                         initial_state = 8, o = 9, final_state = 10, log_decay_total = 11,
                         count = 12, maps = 0;
  };
};

struct Gate {
  // log-decay = -exp(A_log) * softplus(dt + dt_bias)
  template <class At> static RK_DEVICE float log_decay(const At& at) {
    return -exp(at.template parameter<0>()) * softplus(at.template input<0>() + at.template parameter<1>());
  }
  template <class At> static RK_DEVICE float key(const At& at) { return at.key(); }
  // write scale = softplus(dt + dt_bias)
  template <class At> static RK_DEVICE float write_scale(const At& at) {
    return softplus(at.template input<0>() + at.template parameter<1>());
  }
  static RK_DEVICE float feature_map(float element) { return element; }
};

}  // namespace mamba2_forward_k40v72_f32_00bacf7e
}  // namespace rankone

static_assert(rankone::Traits<rankone::Policy, rankone::Role::scan>::layout.bytes == 31760);
extern "C" __global__ void __launch_bounds__(256)
mamba2_forward_k40v72_f32_00bacf7e(rankone::ArgumentsOf<rankone::Policy> const __grid_constant__ arguments) {
  rankone::scan<rankone::Policy, rankone::Gate, rankone::Role::scan>(arguments);
}

// What a loader of the cubin needs to know.
extern "C" __constant__ char mamba2_forward_k40v72_f32_00bacf7e_manifest[] =
    "{\"schema\":2,\"rankone\":\"0.1.0\",\"pass\":\"forward\",\"variant\":{\"name\":\"mamba2\",\"decay\":{\"kind\":\"per_head\",\"log_decay\":\"-exp(param(A_log)) * softplus(input(dt) + param(dt_bias))\"},\"write_scale\":\"softplus(input(dt) + param(dt_bias))\",\"scale\":1.0},\"K\":40,\"V\":72,\"dtype\":\"f32\",\"schedule\":{\"family\":\"portable\",\"level\":\"serial\",\"chunk\":16,\"value_tile\":128,\"warps\":8,\"stages\":2},\"kernels\":[{\"name\":\"scan\",\"entry\":\"mamba2_forward_k40v72_f32_00bacf7e\",\"threads\":256,\"shared_bytes\":31760,\"cluster\":1,\"blocks\":{\"multiply\":[\"N\",\"HV\"]},\"items\":{\"multiply\":[\"N\",\"HV\"]}}]}";
