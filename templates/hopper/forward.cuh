// SPDX-License-Identifier: MIT
// The forward pass of the Hopper family (sm_90a): one read of the inputs, one write of the output, the state in
// registers.
//
// A block's warpgroups walk the same chunks, each a stage behind the one before:
//   producer   copies q, k, v and gate inputs into swizzled tiles
//   gate       turns gates into decays, q and k into operands, and computes the causal scores
//   consumers  64 value columns each: read the state, write the output, advance the state
// In a prepared schedule the gate warpgroup has a kernel of its own, with a producer, and the scan reads what it left.
#pragma once

#include "hopper/consumer.cuh"
#include "hopper/gates.cuh"
#include "hopper/producer.cuh"

namespace rankone {

template <class T> RK_DEVICE void produce(const Arguments& arguments) {
  Producer<T> producer;
  producer.prefetch_tensor_maps(arguments);
#pragma unroll 1
  while (producer.behind >= 0) producer.issue(arguments);
}

// `Gates` knows how a chunk's gates are computed, and what they add up to over a segment.
template <class T, class Gates> RK_DEVICE void compute_gates(const Arguments& arguments, int thread) {
  Pipeline<T> pipeline;
  Gates gates(thread);
#pragma unroll 1
  for (;; pipeline.advance()) {
    mbarrier_wait(pipeline.full(), pipeline.phase);
    gates.begin_stage();
    const StageDescriptor descriptor = StageDescriptor::read(pipeline.descriptor());
    const StagePlace<T> place(arguments, descriptor, pipeline.base());
    if constexpr (T::sums_log_decays) {
      if (descriptor.first_token == 0) gates.clear_totals();
    }
    if (descriptor.rows > 0) {
      gates.write_chunk(place);
      fence_async();
    }
    if constexpr (T::sums_log_decays) {  // before the stage is given on, and with it the item's record
      if (descriptor.last && descriptor.item.offset != 0) gates.store_totals(arguments, descriptor.item);
    }
    if constexpr (T::prepares_keys)
      store_prepared(arguments, descriptor, pipeline, thread);
    else if constexpr (T::cluster > 1)
      send_share<T>(pipeline.base(), pipeline.ready(), descriptor.rows, thread);
    else
      mbarrier_arrive(pipeline.ready());
    if (descriptor.item.offset == 0) return;
    gates.end_stage();
  }
}

template <class T, int share> RK_DEVICE void set_registers() {
  if constexpr (share != 0 && share < T::launched_registers) release_registers<share>();
  if constexpr (share > T::launched_registers) claim_registers<share>();
}

// By one thread.
template <class T> RK_DEVICE void init_pipeline() {
  Pipeline<T> pipeline;
  for (int stage = 0; stage < T::stages; ++stage) {
    mbarrier_init(pipeline.full(), 2 * group_threads);  // every thread arrives, and so do its copies
    if constexpr (T::has_gate_group && T::has_consumers)
      mbarrier_init(pipeline.ready(), group_threads + T::cluster - 1);
    // Every thread arrives, and of the cluster's other blocks a lane of each warp.
    const int users = T::layout.consumer_groups * (group_threads + group_warps * (T::cluster - 1));
    mbarrier_init(pipeline.empty(), T::has_consumers ? users : PreparedChunk<T>::pieces);
    pipeline.advance();
  }
  if constexpr (T::cluster > 1) fence_async();  // for other blocks' copies, which use the barriers by the other proxy
}

// `Form` is PerKey or PerToken.
template <class Policy, class Form, Role role> RK_DEVICE void hopper_forward(const Arguments& arguments) {
  using T = HopperTraits<Policy, role>;
  if (thread_index() == 0) init_pipeline<T>();
  if constexpr (T::cluster > 1)
    sync_cluster();
  else
    sync_block();
  const int group = thread_index() / group_threads;
  if (group == 0) {
    set_registers<T, T::registers.producer>();
    produce<T>(arguments);
  } else if (T::has_gate_group && group == 1) {
    if constexpr (T::has_gate_group) {
      set_registers<T, T::registers.gates>();
      compute_gates<T, typename Form::template Gates<T>>(arguments, thread_index() - group_threads);
    }
  } else if constexpr (T::has_consumers) {
    set_registers<T, T::registers.consumer>();
    Consumer<T, Form>{}.run(arguments);
  }
  if constexpr (T::cluster > 1) sync_cluster();  // nobody leaves while others send to it
}

}  // namespace rankone
