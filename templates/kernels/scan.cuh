// SPDX-License-Identifier: MIT
// The forward pass of the portable family (sm_80 and later), for every decay, in three roles.
//
// A block walks the chunks of one sequence, value head and tile of value columns. A chunk is what is staged in shared
// memory at once; within it the recurrence advances by sub-chunks of 16 tokens, with the state in registers. Scores
// inside a sub-chunk are the only thing that the warps compute for each other.
//   scan    reads everything once and writes the output: one serial pass
//   states  writes the state before each chunk instead of outputs
//   output  starts from such a state and works on one chunk, all chunks in parallel
#pragma once

#include "kernels/key_sum.cuh"
#include "kernels/transfer.cuh"

namespace rankone {

// Sums of log-decays of a whole sequence, for the state-only role. A thread owns every `threads`-th key column.
template <class Traits> struct DecayTotal {
  static constexpr int width = Traits::decays_by_key ? Traits::key_padded : 1;
  static constexpr int owned = (width + Traits::threads - 1) / Traits::threads;
  float sums[owned] = {}, lost[owned] = {};  // to rounding, which over many equal terms errs the same way

  RK_DEVICE void add(int i, float term) {
    const float next = term - lost[i], sum = sums[i] + next;
    lost[i] = sum - sum == 0.0f ? sum - sums[i] - next : 0.0f;  // a reset's sum is infinite
    sums[i] = sum;
  }

  RK_DEVICE void add_chunk() {
    if constexpr (Traits::weighted) {
#pragma unroll
      for (int i = 0; i < owned; ++i) {
        const int column = thread_index() + i * Traits::threads;
        if (column >= width) break;
        for (int span = 0; span < Traits::spans; ++span) {
          add(i, shared_load<float>(Traits::layout.span_log +
                                    (Traits::decays_by_key ? span * width + column : span * 4) * 4));
        }
      }
    }
  }
  RK_DEVICE void store(const Arguments& arguments, const Work& work) const {
    const DecaySums<Traits, void> totals{port<Traits>(arguments, Traits::Ports::log_decay_total).data};
    if (totals.data == nullptr || work.value_tile != 0) return;
#pragma unroll
    for (int i = 0; i < owned; ++i) {
      const int column = thread_index() + i * Traits::threads;
      if (column < Traits::decays_of_token)
        totals.store(work.sequence * arguments.value_heads + work.head, column, sums[i]);
    }
  }
};

// A normaliser's: where the states of chunks are kept, one for all value tiles.
template <class T> RK_DEVICE void sum_keys(const ChunkPlace<T>& place, long long chunk) {
  if constexpr (T::keeps_states) {
    if (place.work.value_tile != 0) return;
    if constexpr (!T::non_causal) save_sum<T>(place.arguments, place.work, place.work.first_slot + chunk);
  }
  add_keys<T>(place);
}
// Whether that is behind the barrier for weights and values, rather than before it.
template <class T> inline constexpr bool sums_late = T::weighted || (T::non_causal && T::has_value);

// Everything between a chunk's arrival and the next one's.
template <class T, class Gate>
RK_DEVICE void work_on_chunk(const ChunkPlace<T>& place, long long chunk, DecayTotal<T>& total, State<T>& state) {
  if constexpr (T::decays_by_value)
    write_value_gates<T, Gate>(place);
  else if constexpr (T::has_value)
    write_values<T, Gate>(place);
  if constexpr (T::decays_by_key) {
    write_key_gates<T, Gate>(place);
    sync_block();  // decays, and q and k through their expressions
    if constexpr (T::computes_scores) {
      write_key_scores<T, Gate>(place);
      if constexpr (T::layout.in_place) sync_block();  // the scores have read what is now overwritten
    }
    write_scaled_operands<T>(place);
    sync_block();  // scores and operands
  } else {
    if constexpr (T::rewrites) {
      rewrite_tiles<T, Gate>(place);
      if constexpr (T::non_causal) {
        if constexpr (!T::weighted && !T::has_value) sync_block();  // keys alone, which else wait for what follows
      } else {
        sync_block();  // q and k through their expressions
      }
    }
    if constexpr (T::computes_scores)
      write_scalar_scores<T, Gate>(place);
    else if constexpr (T::weighted)
      write_span_decays<T>();
    if constexpr (T::has_normaliser) {
      if constexpr (!sums_late<T>) sum_keys<T>(place, chunk);  // as they are
    }
    if constexpr (T::computes_scores || T::weighted || T::has_value || T::decays_by_value)
      sync_block();  // scores, decays and values
  }
  if constexpr (T::sums_log_decays) total.add_chunk();
  if constexpr (T::has_normaliser) {
    if constexpr (sums_late<T>) {
      sum_keys<T>(place, chunk);
      if constexpr (T::computes_scores) sync_block();  // the sums before sub-chunks
    }
    if constexpr (T::computes_scores) {
      read_sums<T>(place);
      sync_block();  // what queries read of them
    }
  }
  if (warp_index() >= T::state_warps) return;
  if constexpr (T::keeps_states) {
    if (place.arguments.chunk_states != nullptr) state.save(place.arguments, place.work, place.work.first_slot + chunk);
  }
#pragma unroll 1
  for (int span = 0; span < T::spans && span * sub_chunk < place.rows; ++span) {
    step_sub_chunk<T, Gate>(place, span, !T::works_on_one_chunk || (span + 1) * sub_chunk < place.rows, state);
  }
}

template <class Policy, class Gate, Role role> RK_DEVICE void scan(const Arguments& arguments) {
  using T = Traits<Policy, role>;
  const Work work = find_work<T>(arguments, block_index());
  if (T::works_on_one_chunk && work.length == 0) return;
  const long long chunks = (work.length + T::chunk - 1) / T::chunk;

  State<T> state;
  const bool holds_state = warp_index() < T::state_warps;
  if (holds_state) {
    if constexpr (T::works_on_one_chunk)
      state.restore(arguments, work, work.first_slot);
    else
      state.load_initial(arguments, work);
  }
  if constexpr (T::has_normaliser) {
    if constexpr (T::works_on_one_chunk)
      restore_sum<T>(arguments, work, work.first_slot);
    else
      load_initial_sum<T>(arguments, work);
  }
  DecayTotal<T> total;
  TokenGates<T> gates;
  const ChunkSources<T> sources(arguments, work);

  const auto place_of = [&](long long chunk) {
    const long long first_token = chunk * T::chunk;
    return ChunkPlace<T>{arguments, work, static_cast<int>(chunk & (T::stages - 1)) * T::layout.stage_bytes,
                         first_token, static_cast<int>(clamp(work.length - first_token, 0, T::chunk))};
  };
  // Turn -1 only starts what turn 0 needs: each step below stands once in the kernel, which halves its compile time.
#pragma unroll 1
  for (long long chunk = -1; chunk < chunks; ++chunk) {
    const ChunkPlace<T> place = place_of(chunk), next = place_of(chunk + 1);
    const bool more = chunk + 1 < chunks;
    if constexpr (T::stages == 2) {
      if (chunk >= 0) {
        copy_wait<0>();
        sync_block();  // the stage and the tokens' gates are there, and nobody is in the chunk before
      }
      if (more) sources.load(next.first_token, next.stage);
    } else if (chunk >= 0) {
      if (chunk > 0) sync_block();  // the only stage is free once every warp has left it
      sources.load(place.first_token, place.stage);
      copy_wait<0>();
      sync_block();  // the stage and the tokens' gates are there
    }
    if (more) gates.fetch(next);
    if (chunk >= 0) work_on_chunk<T, Gate>(place, chunk, total, state);
    if (more) gates.template write<Gate>(next);
  }
  if constexpr (!T::works_on_one_chunk) {
    if (holds_state) state.store_final(arguments, work);
    if constexpr (T::has_normaliser) store_final_sum<T>(arguments, work);
    if constexpr (T::non_causal) {
      if (holds_state) state.save(arguments, work, work.sequence);
      if constexpr (T::has_normaliser)
        if (work.value_tile == 0) save_sum<T>(arguments, work, work.sequence);
    }
  }
  if constexpr (T::sums_log_decays) total.store(arguments, work);
}

}  // namespace rankone
