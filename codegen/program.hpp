// SPDX-License-Identifier: MIT
// A lowered variant: everything that emission, compilation, launch and export need to know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>
#include <rankone/options.hpp>

#include "codegen/ports.hpp"

namespace rankone {

enum class KernelRole : unsigned char {
  scan,     // serial level: one pass, state on chip
  states,   // writes the state before each chunk, and the final one; also the public state-only pass
  output,   // chunks in parallel, from those states
  join,     // segment level: from what each segment adds to the state before each
  prepare,  // before a prepared scan: operands, decays and scores of each chunk
  combine   // joins the states of two spans
};

struct Kernel {
  std::string entry;  // extern "C" name
  KernelRole role = KernelRole::scan;
  int threads = 0;
  int shared_bytes = 0;
  int cluster = 1;    // blocks of a cluster; the grid is a multiple of it
  int residents = 1;  // blocks that a multiprocessor is meant to hold
};

// Order in `scalars` is the order in Arguments.
struct Program {
  Variant variant{};
  CompileOptions options{};
  Schedule schedule{};
  std::string arch;
  int key_padded = 0;     // K rounded up to 16
  int value_tiles = 0;    // ceil(V / value_tile)
  int operand_bytes = 0;  // of an element of tensor-core products, and of a saved state
  // Whether tensors that have maps come by boxes: that leaves the most time to those who compute gates. Where only memory
  // binds, copies of whole rows are 2 to 4 % faster.
  bool uses_tma = false;
  bool reads_key = true;  // false where the key expression does not use k
  std::vector<Port> ports;
  std::vector<std::string> scalars;
  Pass pass = Pass::forward;
  std::vector<Kernel> kernels;  // of the pass, in launch order
};

struct ArchLimits {
  std::string arch;            // "sm_90a"
  int shared_bytes_per_block;  // opt-in maximum
};
const std::vector<ArchLimits>& known_archs();   // sm_80, 86, 89, 90a, 100a, 120a
ArchLimits arch_limits(std::string_view arch);  // these and their close relatives; else throws Error

// variant + schedule -> program
Program lower(const Variant&, const CompileOptions&, const Schedule&, std::string_view arch, Pass pass = Pass::forward);
std::string emit(const Program&);  // program -> CUDA text
// The compiler's option that leaves of that text only this one of `kernels`; empty where there is no other.
std::string option_for(const Program&, std::size_t kernel);

std::int64_t block_count(const Program&, const Kernel&, const Shape&);
std::int64_t chunk_slots(const Program&, const Shape&);  // ceil(T / C) * B, or ceil(T / C) + N when packed
// Of a segment, or of what a block prepares at a time; 0 where sequences are walked whole.
std::int64_t segment_tokens(const Program&, const Shape&);
std::size_t segment_state_bytes(const Program&, const Shape&);  // where segment_decays start in the workspace
// Of chunk_states and segment_decays; 0 at the serial level unless it is prepared.
std::size_t workspace_bytes(const Program&, const Shape&);

}  // namespace rankone
