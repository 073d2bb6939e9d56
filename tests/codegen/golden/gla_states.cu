// SPDX-License-Identifier: MIT
// gla: the state-only pass of a linear attention, written by Rankone 0.1.0.
//
//   S_t = Diag(exp(g)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t
//
// sizes     K = 64, V = 64; q, k, v, o bf16; g bf16
// schedule  portable/serial chunk=64 value_tile=64 warps=4 stages=2
// kernel    gla_states: 128 threads, 75008 bytes of dynamic shared memory
// kernel    gla_combine: 256 threads, 0 bytes of dynamic shared memory
// spec      {"name":"gla","decay":{"kind":"per_key","log_decay":"input(g)"}}
//
// Stands alone, for sm_80 and later: nvcc -arch=sm_80 -c, or NVRTC; C++17 or later.

// ---- device/common.cuh ----------------------------------------------------------------------------------------------
// ---- device/types.cuh -----------------------------------------------------------------------------------------------
// ---- device/shared.cuh ----------------------------------------------------------------------------------------------
// ---- device/matrix.cuh ----------------------------------------------------------------------------------------------
// ---- device/tile.cuh ------------------------------------------------------------------------------------------------
// ---- kernels/fragment.cuh -------------------------------------------------------------------------------------------
// ---- device/global.cuh ----------------------------------------------------------------------------------------------
// ---- device/math.cuh ------------------------------------------------------------------------------------------------
// ---- device/copy.cuh ------------------------------------------------------------------------------------------------
// ---- device/arguments.cuh -------------------------------------------------------------------------------------------
// ---- kernels/layout.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/policy.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/sequence.cuh -------------------------------------------------------------------------------------------
// ---- kernels/stage.cuh ----------------------------------------------------------------------------------------------
// ---- kernels/gates.cuh ----------------------------------------------------------------------------------------------
// ---- kernels/scores.cuh ---------------------------------------------------------------------------------------------
// ---- kernels/state.cuh ----------------------------------------------------------------------------------------------
// ---- kernels/recurrence.cuh -----------------------------------------------------------------------------------------
// ---- kernels/scan.cuh -----------------------------------------------------------------------------------------------
// ---- kernels/combine.cuh --------------------------------------------------------------------------------------------
// ---- this variant ----

namespace rankone {

struct Policy {
  using Storage = bf16;
  using Operand = bf16;
  static constexpr bool split_products = false;
  static constexpr DecayKind decay = DecayKind::per_key;
  static constexpr int key_dim = 64, value_dim = 64;
  static constexpr int chunk = 64, value_tile = 64, warps = 4, stages = 2;
  static constexpr bool has_key = false, has_write_scale = false, has_feature_map = false, reads_key = true;
  static constexpr bool value_major_state = false;
  static constexpr int input_count = 1;  // g
  static constexpr ElementType input_types[] = {ElementType::bf16};
  static constexpr bool input_is_per_key[] = {true};
  static constexpr bool input_has_key_heads[] = {false};
  static constexpr int parameter_count = 0;
  static constexpr ElementType parameter_types[] = {ElementType::f32};
  static constexpr unsigned char parameter_axes[] = {0};
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

}  // namespace rankone

// -DRANKONE_ONLY=N leaves kernel N, from 0: compiled side by side they are ready sooner than in one go.

#if !defined(RANKONE_ONLY) || RANKONE_ONLY == 0
static_assert(rankone::Traits<rankone::Policy, rankone::Role::states>::layout.bytes == 75008);
extern "C" __global__ void __launch_bounds__(128)
gla_states(const __grid_constant__ rankone::Arguments arguments) {
  rankone::scan<rankone::Policy, rankone::Gate, rankone::Role::states>(arguments);
}
#endif

#if !defined(RANKONE_ONLY) || RANKONE_ONLY == 1
static_assert(rankone::combine_threads == 256);
extern "C" __global__ void __launch_bounds__(256)
gla_combine(const __grid_constant__ rankone::Arguments arguments) {
  rankone::combine<rankone::Policy>(arguments);
}
#endif

// What a loader of the cubin needs to know.
extern "C" __constant__ char gla_states_manifest[] =
    "{\"schema\":1,\"rankone\":\"0.1.0\",\"pass\":\"states\",\"variant\":{\"name\":\"gla\",\"decay\":{\"kind\":\"per_key\",\"log_decay\":\"input(g)\"}},\"K\":64,\"V\":64,\"dtype\":\"bf16\",\"schedule\":{\"family\":\"portable\",\"level\":\"serial\",\"chunk\":64,\"value_tile\":64,\"warps\":4,\"stages\":2},\"kernels\":[{\"entry\":\"gla_states\",\"role\":\"states\",\"threads\":128,\"shared_bytes\":75008,\"cluster\":1,\"blocks\":\"N * HV * 1\"},{\"entry\":\"gla_combine\",\"role\":\"combine\",\"threads\":256,\"shared_bytes\":0,\"cluster\":1,\"blocks\":\"N * HV\"}]}";
