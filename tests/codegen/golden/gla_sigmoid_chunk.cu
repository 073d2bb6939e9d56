// SPDX-License-Identifier: MIT
// gla_sigmoid: the forward pass of a linear attention, written by Rankone 0.1.0.
//
//   S_t = Diag(exp(log_sigmoid(x) / 16)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t
//
// sizes     K = 128, V = 128; q, k, v, o bf16; x bf16
// schedule  portable/chunk chunk=64 value_tile=128 warps=8 stages=2
// kernel    gla_sigmoid_states_k128v128_bf16_e2544ac7: 256 threads, 142592 bytes of dynamic shared memory
// kernel    gla_sigmoid_output_k128v128_bf16_e2544ac7: 256 threads, 111872 bytes of dynamic shared memory
// spec      {"name":"gla_sigmoid","decay":{"kind":"per_key","log_decay":"log_sigmoid(input(x)) / 16"}}
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
// ---- kernels/at.cuh -------------------------------------------------------------------------------------------------
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
inline namespace gla_sigmoid_forward_k128v128_bf16_e2544ac7 {

struct Policy {
  using Storage = bf16;
  using Operand = bf16;
  static constexpr bool split_products = false;
  static constexpr unsigned char decay_axes = token_axis | value_head_axis | key_axis;
  static constexpr int key_dim = 128, value_dim = 128;
  static constexpr int chunk = 64, value_tile = 128, warps = 8, stages = 2;
  static constexpr bool has_query = false, has_value = false, has_output = false, keeps_values = false, decays_on_both_sides = false;
  static constexpr bool has_key = false, has_write_scale = false, has_feature_map = false, reads_key = true, reads_position = false;
  static constexpr Read read = Read::inclusive;
  static constexpr Walk walk = Walk::ascending;
  static constexpr ElementType state_type = ElementType::f32;
  static constexpr StateLayout state_layout = StateLayout::dense;
  static constexpr bool value_major_state = false;
  static constexpr int input_count = 1;  // x
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
  // log-decay = log_sigmoid(x) / 16
  template <class At> static RK_DEVICE float log_decay(const At& at) {
    return decay_log_sigmoid(at.template input<0>()) * 0.0625f;
  }
  template <class At> static RK_DEVICE float key(const At& at) { return at.key(); }
  template <class At> static RK_DEVICE float write_scale(const At&) { return 1.0f; }
  static RK_DEVICE float feature_map(float element) { return element; }
};

}  // namespace gla_sigmoid_forward_k128v128_bf16_e2544ac7
}  // namespace rankone

// -DRANKONE_ONLY=N leaves kernel N, from 0: compiled side by side they are ready sooner than in one go.

#if !defined(RANKONE_ONLY) || RANKONE_ONLY == 0
static_assert(rankone::Traits<rankone::Policy, rankone::Role::states>::layout.bytes == 142592);
extern "C" __global__ void __launch_bounds__(256)
gla_sigmoid_states_k128v128_bf16_e2544ac7(rankone::ArgumentsOf<rankone::Policy> const __grid_constant__ arguments) {
  rankone::scan<rankone::Policy, rankone::Gate, rankone::Role::states>(arguments);
}
#endif

#if !defined(RANKONE_ONLY) || RANKONE_ONLY == 1
static_assert(rankone::Traits<rankone::Policy, rankone::Role::output>::layout.bytes == 111872);
extern "C" __global__ void __launch_bounds__(256)
gla_sigmoid_output_k128v128_bf16_e2544ac7(rankone::ArgumentsOf<rankone::Policy> const __grid_constant__ arguments) {
  rankone::scan<rankone::Policy, rankone::Gate, rankone::Role::output>(arguments);
}
#endif

// What a loader of the cubin needs to know.
extern "C" __constant__ char gla_sigmoid_forward_k128v128_bf16_e2544ac7_manifest[] =
    "{\"schema\":2,\"rankone\":\"0.1.0\",\"pass\":\"forward\",\"variant\":{\"name\":\"gla_sigmoid\",\"decay\":{\"kind\":\"per_key\",\"log_decay\":\"log_sigmoid(input(x)) / 16\"}},\"K\":128,\"V\":128,\"dtype\":\"bf16\",\"schedule\":{\"family\":\"portable\",\"level\":\"chunk\",\"chunk\":64,\"value_tile\":128,\"warps\":8,\"stages\":2},\"kernels\":[{\"name\":\"states\",\"entry\":\"gla_sigmoid_states_k128v128_bf16_e2544ac7\",\"threads\":256,\"shared_bytes\":142592,\"cluster\":1,\"blocks\":{\"multiply\":[\"N\",\"HV\"]},\"items\":{\"multiply\":[\"N\",\"HV\"]}},{\"name\":\"output\",\"entry\":\"gla_sigmoid_output_k128v128_bf16_e2544ac7\",\"threads\":256,\"shared_bytes\":111872,\"cluster\":1,\"blocks\":{\"multiply\":[\"chunk_slots\",\"HV\"]},\"items\":{\"multiply\":[\"chunk_slots\",\"HV\"]}}]}";
