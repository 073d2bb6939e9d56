// SPDX-License-Identifier: MIT
// What is fixed when a kernel is compiled, and what stays free until it runs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>
#include <rankone/knobs.hpp>

namespace rankone {

// float32 inputs: `tf32` uses the tensor cores' own type (relative error about 5e-4), `f32` three products of it (about
// 2e-6).
enum class Precision : unsigned char { tf32, f32 };

// What one emitted text serves; texts are apart so that nobody waits for kernels that are not used.
enum class Pass : unsigned char {
  forward,   // reads q, k, v and gates, writes o and the final state
  states,    // the state-only pass
  combine,   // joins the states of two spans
  backward,  // reads what forward read and the slopes of what it wrote, writes gradients
  decode     // a few tokens of each row, from and to slots of a pool of states
};

// What is fixed when a kernel is compiled. B, T, N, H, HV and strides stay free.
struct CompileOptions {
  int key_dim = 0;                              // K, 1 to 256
  int value_dim = 0;                            // V, 1 to 512
  int slot_dim = 0;                             // M, 1 to 256, of a chain alone; 0: K
  rankone::dtype dtype = rankone::dtype::bf16;  // of q, k, v and o: bf16, f16 or f32
  // Of gates (default: dtype) and parameters (default: f32).
  std::vector<std::pair<std::string, rankone::dtype>> input_types{};
  Precision precision = Precision::tf32;
  rankone::dtype state_dtype = rankone::dtype::f32;  // of states that calls take and give: f32, bf16 or f16
  bool value_major_state = false;                    // states are [N, HV, V, F] instead of [N, HV, F, V]
  Pins pins{};         // of the schedule; the rest is left to the tuned database, or else to the default
  std::string arch{};  // "sm_80" ... "sm_120a"; empty: the device's own. "sm_90" has the portable family alone
};

// Run-time sizes of one call.
struct Shape {
  std::int64_t batch = 1;        // B
  std::int64_t tokens = 1;       // T
  std::int64_t heads = 1;        // H
  std::int64_t value_heads = 0;  // HV; 0: H
  std::int64_t sequences = 0;    // N where sequences are packed (cu_seqlens); 0: not packed, N = B
  std::int64_t key_tokens = -1;  // Tk: of a non-causal variant, the tokens of k and v; below 0: T
};

}  // namespace rankone
