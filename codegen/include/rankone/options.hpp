// SPDX-License-Identifier: MIT
// What is fixed when a kernel is compiled, and what stays free until it runs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>

namespace rankone {

// float32 inputs: `tf32` uses the tensor cores' own type (relative error about 5e-4), `f32` three products of it (about
// 2e-6).
enum class Precision : unsigned char { tf32, f32 };

// Which instructions a kernel is built from: `portable` those of sm_80 and later, `hopper` those of sm_90a.
enum class Family : unsigned char { automatic, portable, hopper };

// What one emitted text serves; texts are apart so that nobody waits for kernels that are not used.
enum class Pass : unsigned char {
  forward,  // reads q, k, v and gates, writes o and the final state
  states    // the state-only pass, and what joins two spans
};

// What is fixed when a kernel is compiled. B, T, N, H, HV and strides stay free.
struct CompileOptions {
  int key_dim = 0;                              // K, 1 to 256
  int value_dim = 0;                            // V, 1 to 512
  rankone::dtype dtype = rankone::dtype::bf16;  // of q, k, v and o: bf16, f16 or f32
  // Of gates (default: dtype) and parameters (default: f32).
  std::vector<std::pair<std::string, rankone::dtype>> input_types{};
  Precision precision = Precision::tf32;
  bool value_major_state = false;  // states are [N, HV, V, K] instead of [N, HV, K, V]
  // A pinned schedule; 0 and automatic leave it to the tuned database, or else to the default.
  Family family = Family::automatic;
  int chunk = 0;
  Level level = Level::automatic;
  int value_tile = 0, warps = 0, stages = 0, cluster = 0;
  bool prepared = false;
  std::string arch{};  // "sm_80" ... "sm_120"; empty: the device's own
};

// Run-time sizes of one call.
struct Shape {
  std::int64_t batch = 1;        // B
  std::int64_t tokens = 1;       // T
  std::int64_t heads = 1;        // H
  std::int64_t value_heads = 0;  // HV; 0: H
  std::int64_t sequences = 0;    // N where sequences are packed (cu_seqlens); 0: not packed, N = B
};

}  // namespace rankone
