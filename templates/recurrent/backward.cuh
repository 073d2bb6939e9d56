// SPDX-License-Identifier: MIT
// The backward pass of the recurrent family, token by token: for everything that can be declared.
//
// A block walks one sequence, value head and tile of value columns back after the other, with the slopes of its part of the
// state in registers. Of each run of tokens it has the state before it from the workspace. It walks the run forward and keeps
// the state before each span of tokens; of each span, from the last one on, it walks forward again and keeps the state behind
// each token, over which it walks back. Sums over value columns and over tokens are those of the tile and of the sequence:
// recurrent/reduce.cuh adds them up.
#pragma once

#include "recurrent/state_slopes.cuh"

namespace rankone {

template <class T, class Gate> struct BackwardBlock : StateSlopes<T, Gate> {
  using Slopes = StateSlopes<T, Gate>;
  using Slopes::arguments, Slopes::work, Slopes::state, Slopes::slopes, Slopes::tokens, Slopes::layout,
      Slopes::token_layout, Slopes::half, Slopes::max_behind, Slopes::tile_bytes, Slopes::sum_bytes;
  // In steps of tokens.
  static constexpr int run_length = run_tokens * T::token_steps,
                       span_length = span_tokens(T::token_steps) * T::token_steps;
  int staged = -1;  // the first one of the run's steps that wait in shared memory

  RK_DEVICE BackwardBlock(const Arguments& from, const Work& of) : Slopes(from, of) {}

  RK_DEVICE void run() {
    const States<T, const void> behind{port<T>(arguments, final_slope_port<T>()).data, arguments.value_heads};
    load_state(slopes, behind, work.sequence, is_vectorized(arguments, final_slope_port<T>()) != 0);
    if constexpr (T::has_scan && !T::is_first_pass) this->load_scan_slopes();
    if constexpr (T::has_normaliser) {  // which one tile takes
      if (work.value_tile == 0)
        load_state_sum(slopes, port<T>(arguments, T::Ports::dfinal_state_sum).data, work.sequence);
    }
    if constexpr (T::has_phase) load_imaginary(slopes, T::Ports::dfinal_state_imaginary);
    if constexpr (T::has_lagged_scale) this->load_last_slopes(this->lagged_key, this->lagged_value);
#pragma unroll 1
    for (long long run = (length() + run_length - 1) / run_length - 1; run >= 0; --run) walk_run(run);
    const States<T, void> before{port<T>(arguments, initial_slope_port<T>()).data, arguments.value_heads};
    store_state(slopes, before, work.sequence, is_vectorized(arguments, initial_slope_port<T>()) != 0);
    if constexpr (T::has_normaliser) this->store_sum_slopes();
    if constexpr (T::has_phase) store_imaginary(slopes, T::Ports::dinitial_state_imaginary);
    if constexpr (T::has_scan) this->store_scan_slopes();
    if constexpr (T::has_lagged_scale) this->store_last_slopes(this->lagged_key, this->lagged_value);
    if constexpr (T::parameter_count > 0) this->store_parameters();
  }

 private:
  RK_DEVICE long long length() const { return work.length * T::token_steps; }
  static RK_DEVICE int smaller(int a, int b) { return a < b ? a : b; }

  // What a walk forward keeps.
  enum class Kept : unsigned char { spans, steps };
  struct Part {
    Kept kept;
    int from, begin, end;  // the number of the state before `begin`
  };
  // A run, or what there is of it. Before its last span comes the walk that keeps the states before each.
  RK_DEVICE void walk_run(long long run) {
    const long long first = run * run_length;
    const int count = static_cast<int>(clamp(length() - first, 0, run_length));
    const States<InWorkspace<T>, const void> checkpoints{T::run_states(arguments), arguments.value_heads};
    load_state(state, checkpoints, work.first_slot + run, true);
    if constexpr (T::has_normaliser) load_state_sum(state, arguments.segment_states, work.first_slot + run);
    if constexpr (T::has_phase) {
      const States<InWorkspace<T>, const void> imaginary{arguments.segment_states, arguments.value_heads};
      load_state<Plane::imaginary>(state, imaginary, work.first_slot + run, true);
    }
    if constexpr (T::has_running_max) tokens.running_max = load_checkpoint_max<T>(arguments, work, run);
    if constexpr (T::has_scan) load_checkpoint_scan(tokens, run);
    keep(before_span(0));
    if constexpr (T::has_running_max) sync_block();  // the maximum in whose units it is
    staged = -1;
    const int spans = (count + span_length - 1) / span_length;
#pragma unroll 1
    for (int span = spans; span >= 0; --span) {
      const int begin = span * span_length;
      const Part part = span == spans ? Part{Kept::spans, before_span(0), 0, begin - span_length}
                                      : Part{Kept::steps, before_span(span), begin, smaller(begin + span_length, count)};
      walk(first, part, count);
      if constexpr (T::has_running_max) {
        if (part.kept == Kept::spans) sync_block();  // the maxima in whose units kept states are
      }
      if (part.kept == Kept::spans) continue;
      if constexpr (T::reads_again) sync_block();  // what all keys had of the reads
      walk_back(first, part, count);
    }
  }

  // Numbers of kept states: those before spans, then those behind a span's steps, but for the last one's, which stays in
  // registers.
  static RK_DEVICE int before_span(int span) { return span; }
  static RK_DEVICE int behind_step(int step) { return run_spans(T::token_steps) + step; }

  // The run's `i`-th step. So many steps are staged together as there is place for, and stay until others are wanted.
  RK_DEVICE void take_token(long long first, int i, int count) {
    constexpr int slots = token_layout.stage_slots;
    const int begin = i / slots * slots;
    if (begin != staged) tokens.stage(first + begin, smaller(slots, count - begin));
    staged = begin;
    tokens.take(i - begin);
  }

  // What the token before the run's `i`-th has written.
  RK_DEVICE void recall_token_before(long long first, int i, int count) {
    if (first + i == 0) return load_initial_last(tokens);
    // One of the stage before is not worth that stage once more.
    if (i % token_layout.stage_slots == 0) return fetch_last(tokens, first + i - 1);
    take_token(first, i - 1, count);
    recall(tokens, first + i - 1);
  }

  // A state, and the running maximum in whose units it is, which others find there once all have met.
  RK_DEVICE void keep(int number) const {
    state.keep(number);
    if constexpr (T::has_scan)
      tokens.for_each_scan([&](int key, const Scanned& scanned) { store_scanned(place_of_scan(number, key), scanned); });
    if constexpr (T::has_running_max)
      if (thread_index() == 0) store_max(place_of_max(number), tokens.running_max);
  }
  RK_DEVICE void take(int number) {
    state.take(number);
    if constexpr (T::has_scan) take_scan(number);
    if constexpr (T::has_running_max) tokens.running_max = load_max(place_of_max(number));
  }
  // Each thread has its own keys: nobody else reads what it keeps.
  RK_DEVICE void take_scan(int number) {
    tokens.for_each_scan([&](int key, Scanned& scanned) { scanned = load_scanned(place_of_scan(number, key)); });
  }
  RK_DEVICE int place_of_scan(int number, int key) const {
    constexpr int width = T::scans_values ? T::value_tile : token_layout.rows;
    if constexpr (T::scans_values) key -= work.value_column;
    return layout.scans + (number * width + key) * 8;
  }
  static RK_DEVICE int place_of_max(int number) { return layout.maxima + number * 8; }

  RK_DEVICE void walk(long long first, const Part& part, int count) {
    take(part.from);
    if constexpr (T::has_lagged_scale)
      if (part.begin < part.end) recall_token_before(first, part.begin, count);
#pragma unroll 1
    for (int i = part.begin; i < part.end; ++i) {
      const long long index = first + i;
      this->turn();
      take_token(first, i, count);
      tokens.evaluate(index, half);
      sync_block();  // the token's rows and columns
      if constexpr (T::has_running_max) tokens.pass_max(half);
      Columns read;
      if constexpr (T::reads_again && T::reads_before) read = state.project(half + token_layout.query);
      const Erased<T, Gate> erased = advance<T, Gate>(state, work, index, half);
      if (part.kept == Kept::spans) {
        if ((i + 1) % span_length == 0) keep(before_span((i + 1) / span_length));
        continue;
      }
      const int place = i - part.begin;
      if (i + 1 < part.end) keep(behind_step(place));
      if constexpr (T::has_erase_scale) {
        if (state.row_thread == 0)
          store_columns(layout.erased + place * tile_bytes + state.first_column * 4, erased.columns);
      }
      if constexpr (T::has_value_erase_scale) state.store_rows(this->erased_keys_of(place), erased.keys);
      if constexpr (T::reads_again) {
        if constexpr (!T::reads_before) read = state.project(half + token_layout.query);
        if constexpr (T::has_bonus) add_bonus(state, half, read);
        store_column_sums<T>(layout.read + place * sum_bytes, read, state.first_column);
      }
    }
  }
  RK_DEVICE void walk_back(long long first, const Part& part, int count) {
#pragma unroll 1
    for (int i = part.end - 1; i >= part.begin; --i) {
      const long long index = first + i;
      const int place = i - part.begin, before = place > 0 ? behind_step(place - 1) : part.from;
      this->turn();
      if constexpr (T::has_running_max) {
        max_behind = tokens.running_max;
        tokens.running_max = load_max(place_of_max(before));
      }
      if constexpr (T::has_scan) take_scan(before);
      if constexpr (T::has_lagged_scale) recall_token_before(first, i, count);
      take_token(first, i, count);
      tokens.evaluate(index, half);
      this->start_columns(index, place);
      sync_block();  // the token's rows and columns
      const float own =
          this->pass_token(index, place, before, i + 1 == part.end ? Slopes::in_registers : behind_step(place));
      sync_block();  // what all columns have of rows, and all rows of columns
      this->finish_columns(index);
      this->finish_keys(index, own);
      if constexpr (T::has_head_inputs) this->store_head_inputs(index);
    }
  }
};

template <class Policy, class Gate> RK_DEVICE void recurrent_backward(const Arguments& arguments) {
  using T = BackwardTraits<Policy>;
  const long long items = arguments.sequences * arguments.value_heads * T::value_tiles;
#pragma unroll 1
  for (long long item = block_index(); item < items; item += block_total()) {
    Work work;
    place_sequence<T>(arguments, place_tile<T>(arguments, item, work), run_tokens, work);
    BackwardBlock<T, Gate>(arguments, work).run();
    if (item + block_total() < items) sync_block();  // what others have still to read of this one
  }
}

}  // namespace rankone
