// SPDX-License-Identifier: MIT
// The kernels that there are. What is to be said of one stands in its builder alone, in kernels_portable.cpp,
// kernels_hopper.cpp or kernels_recurrent.cpp; which of them a pass consists of is told by the family's kernels() there.
#pragma once

#include <string>
#include <vector>

#include "codegen/gate_text.hpp"
#include "codegen/program.hpp"
#include "templates/recurrent/backward_layout.cuh"
#include "templates/recurrent/slope_layout.cuh"

namespace rankone {

class PolicyLines;  // policy_lines.hpp

// What a builder knows.
struct KernelSource {
  const Variant& variant;
  const CompileOptions& options;
  const Schedule& schedule;
  Pass pass = Pass::forward;
  SlopesBeside beside_slopes{};  // of a chain's pass
};

// Whether a formula reads a tensor, or what adds up from some: its slope is wanted.
bool reads_tensors(const Expression& formula);

// In launch order. Their entries are short still: lower() writes the program's names.
std::vector<Kernel> kernels_of(const KernelSource& source);
std::vector<Region> regions_of(const KernelSource& source);
Extent segment_tokens_of(const KernelSource& source);

namespace portable {
std::vector<Kernel> kernels(const KernelSource& source);
std::vector<Region> regions(const KernelSource& source);
int operand_bytes(dtype type);
bool keeps_values(const Variant& variant);  // as they came, since a value and the output both read them
void write_policy(const KernelSource& source, PolicyLines& lines);
Kernel scan(const KernelSource& source);     // the whole recurrence in one pass, the state on chip
Kernel states(const KernelSource& source);   // the state before each chunk, or only the last one
Kernel output(const KernelSource& source);   // chunks in parallel, from those states
Kernel combine(const KernelSource& source);  // joins the states of two spans
// Of a non-causal variant: the state that all keys of a sequence leave, and chunks of queries in parallel that read it.
Kernel keys(const KernelSource& source);
Kernel queries(const KernelSource& source);
Region chunk_states(const KernelSource& source);
Region chunk_sums(const KernelSource& source);  // of a normaliser

// The backward pass (kernels_backward.cpp).
std::string why_no_backward(const Variant& variant, const CompileOptions& options);  // in words; empty where it has one
std::vector<Kernel> backward_kernels(const KernelSource& source);
std::vector<Region> backward_regions(const KernelSource& source);
int backward_accumulators(const KernelSource& source);  // of a thread, in the kernel that has most
Kernel backward_states(const KernelSource& source);     // the state before each chunk, and the slopes of that behind it
Kernel gradients(const KernelSource& source);           // chunks in parallel, from both
Kernel token_gradients(const KernelSource& source);     // sums over the value heads that share a query head
Kernel parameter_gradients(const KernelSource& source);  // and over chunks
}  // namespace portable

namespace hopper {
std::vector<Kernel> kernels(const KernelSource& source);
std::vector<Region> regions(const KernelSource& source);
Kernel scan(const KernelSource& source);
Kernel states(
    const KernelSource& source);          // what each segment adds to the state, and its decay, or of a whole sequence
Kernel join(const KernelSource& source);  // from those of segments to the state before each, or behind the last
Kernel prepare(const KernelSource& source);  // operands, decays and scores of each chunk
std::vector<Region> segment_regions(const KernelSource& source);
Region prepared_chunks(const KernelSource& source);
Extent segment_tokens(const KernelSource& source);
bool uses_tma(const KernelSource& source);
// Whether products of queries with their own keys stay in float32: a bonus beside decays of value columns, and where keys decay,
// too, whatever a query has of its own token.
bool keeps_own_apart(const Variant& variant);
int block_threads(const KernelSource& source);  // of its main kernel
}  // namespace hopper

// What a kernel's skeleton is instantiated with.
inline std::string policy_of(const KernelSource& source) { return "rankone::" + policy_name(source.variant); }
inline std::string policy_and_gate_of(const KernelSource& source) {
  return "<" + policy_of(source) + ", rankone::" + gate_name(source.variant) + ">";
}

// Of the recurrent family's blocks.
RecurrentLayout recurrent_layout(const KernelSource& source);
BackwardLayout backward_layout(const KernelSource& source);
SlopeLayout slope_layout(const KernelSource& source);
Extent in_sixteens(const Extent& floats);  // bytes
namespace recurrent {
bool has_full_decay(const Variant& variant);  // that is no product by key and by value column
// Of an element: both of its parts, and in f32 what was rounded away of each.
int state_numbers(const Variant& variant, const CompileOptions& options);
// Walking back, sums over keys are wanted more often than states move. The few tokens of decoding are fetched one by one.
inline bool splits_columns(Pass pass) { return pass == Pass::backward; }
inline bool stages_tokens(Pass pass) { return pass != Pass::decode; }

std::vector<Kernel> kernels(const KernelSource& source);
std::vector<Region> regions(const KernelSource& source);
// Of a chain: those of its passes, one after the other.
std::vector<Kernel> chain_kernels(const KernelSource& source);
std::vector<Region> chain_regions(const KernelSource& source);
Kernel forward(const KernelSource& source);          // the whole recurrence, token by token
Kernel decode(const KernelSource& source);           // a few tokens, from and to slots of a pool of states
Kernel decode_sums(const KernelSource& source);      // of a normaliser, once all value tiles have read it
Kernel checkpoints(const KernelSource& source);      // backward: the state before each run of tokens
Kernel backward(const KernelSource& source);         // what each value tile has of gradients, from the last token on
Kernel token_gradients(const KernelSource& source);  // the sums of that over tiles
Kernel parameter_gradients(const KernelSource& source);  // and over sequences
}  // namespace recurrent

// What builders share.
inline int value_tiles(const KernelSource& source) {
  return (source.options.value_dim + source.schedule.value_tile - 1) / source.schedule.value_tile;
}
// Of a non-causal variant, for the policy: which token inputs are of queries; the others are of keys.
std::string sides_of_inputs(const KernelSource& source);
// Tk goes where others have the tokens of a segment (templates/kernels/sequence.cuh).
Extent key_tokens_of(const KernelSource& source);
// Slots of so many tokens: at least as many as all sequences together have.
Extent slots_of(const Extent& tokens);

}  // namespace rankone
