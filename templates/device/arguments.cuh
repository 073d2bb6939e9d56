// SPDX-License-Identifier: MIT
// What a launch passes: one struct by value, the same bytes on every device and on the host.
#pragma once

namespace rankone {

// Strides in elements; the last dimension is contiguous.
struct TensorArgument {
  void* data;
  long long batch_stride, token_stride, head_stride;
};

// What cuTensorMapEncodeTiled writes: a tensor as copies of whole boxes see it (device/tensor_copy.cuh). Opaque, and
// aligned as CUDA 13 declares it.
struct alignas(128) TensorMap {
  unsigned long long words[16];
};

constexpr int max_inputs = 6, max_parameters = 8, max_scalars = 8, max_maps = 3 + max_inputs;

struct Arguments {
  TensorArgument query, key, value;  // [B, T, H, K], [B, T, H, K], [B, T, HV, V]
  TensorArgument output;             // [B, T, HV, V]
  TensorArgument inputs[max_inputs];       // in the order of the program
  const void* parameters[max_parameters];  // contiguous, in the order of the program
  float scalars[max_scalars];              // in the order of the program
  const void* initial_state;  // [N, HV, K, V] float32, contiguous; null: zeros
  void* final_state;          // likewise; null: not wanted
  // Regions of the workspace; null where a program has none.
  void* chunk_states;         // of the chunk level: the state before each chunk
  void* segment_states;       // of the segment level: what each segment adds to the state, then the state before it
  void* segment_decays;       // beside them: base-2 log-decay of each slot, float [slots, HV] or [slots, HV, K]
  void* prepared_chunks;      // what the prepare kernel leaves of each chunk
  void* log_decay_total;      // float; state-only pass: each sequence's sum of log-decays, [N, HV] or [N, HV, K]; or null
  const void* cu_seqlens;     // [N + 1] on the device; null: N = B sequences of T tokens
  long long tokens;           // T of a batch row
  long long sequences;        // N
  long long segment_tokens;   // of a segment, a multiple of the chunk; 0: all of a sequence
  int heads, value_heads;     // H, HV
  float scale;
  unsigned flags;             // ArgumentFlag bits
  TensorMap maps[max_maps];   // of query, key, value and the inputs, for the Hopper family: 4 dimensions, namely columns,
                              // tokens, heads and batch; a box is 128 bytes of columns by a chunk of tokens; swizzled
};

enum ArgumentFlag : unsigned {
  cu_seqlens_are_64_bit = 1u << 0,
  query_is_vectorized = 1u << 1,  // base and strides are multiples of 16 bytes
  key_is_vectorized = 1u << 2,
  value_is_vectorized = 1u << 3,
  output_is_vectorized = 1u << 4,
  first_input_is_vectorized = 1u << 8,  // one bit for each input
  first_tensor_is_mapped = 1u << 16     // one bit for each of `maps` that is there; none is needed
};

}  // namespace rankone
