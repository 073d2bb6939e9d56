// SPDX-License-Identifier: MIT
// What a launch passes: one struct by value, the same bytes on every device and on the host.
#pragma once

namespace rankone {

// Strides in elements; the last dimension is contiguous. Those of a tensor without gaps are never read.
struct TensorArgument {
  void* data;  // null: there is none
  long long batch_stride, token_stride, head_stride;
};

// What cuTensorMapEncodeTiled writes: a tensor as copies of whole boxes see it (device/tensor_copy.cuh). Opaque, and
// aligned as CUDA 13 declares it.
struct alignas(128) TensorMap {
  unsigned long long words[16];
};

inline constexpr int max_scalars = 8;

// The part that all kernels have. The tensors follow it.
struct Arguments {
  // Regions of the workspace; null where a program has none.
  void* chunk_states;     // of the chunk level: the state before each chunk; backward: before each run of tokens
  void* segment_states;   // of the segment level: what each segment adds to the state, then the state before it
  void* segment_decays;   // beside them: base-2 log-decay of each slot, float [slots, HV] or [slots, HV, K]
  void* prepared_chunks;  // what the prepare kernel leaves of each chunk
  void* token_slopes;     // backward: what value tiles have of gradients of tokens, and of parameters
  void* parameter_slopes;
  long long tokens;               // T of a batch row
  long long sequences;            // N
  long long segment_tokens;       // of a segment, a multiple of the chunk; 0: all of a sequence
  long long state_slots;          // P, of a pool of states
  unsigned long long vectorized;  // a bit for each port: base and strides are multiples of 16 bytes
  unsigned long long wide;        // a bit for each port of integers: they have 64 bits
  unsigned mapped;                // a bit for each of the maps that is there; none is needed
  int heads, value_heads;         // H, HV
  float scale;
  float scalars[max_scalars];  // in the order of the program
};

// `ports`: where each tensor stands is said by the Policy's Ports. `maps`: of the first of them, for the Hopper family's
// TMA: 4 dimensions, namely columns, tokens, heads and batch; a box is 128 bytes of columns by a chunk of tokens;
// swizzled.
template <int port_count, int map_count> struct PortArguments : Arguments {
  TensorArgument ports[port_count];
  TensorMap maps[map_count];
};
template <int port_count> struct PortArguments<port_count, 0> : Arguments { TensorArgument ports[port_count]; };

}  // namespace rankone
