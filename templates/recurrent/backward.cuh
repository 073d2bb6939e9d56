// SPDX-License-Identifier: MIT
// The backward pass of the recurrent family, token by token: for everything that can be declared.
//
// A block walks one sequence, value head and tile of value columns back, with the slopes of its part of the state in
// registers. Of each run of tokens it has the state before it from the workspace. It walks the run forward and keeps the
// state before each group of tokens; of each group, from the last one on, it walks forward again and keeps the state before
// each span; and of each span the state behind each token, over which it walks back. Sums over value columns and over tokens
// are those of the tile and of the sequence: recurrent/reduce.cuh adds them up.
#pragma once

#include "recurrent/slopes.cuh"
#include "recurrent/walk.cuh"

namespace rankone {

template <class T, class Gate> struct BackwardBlock {
  using Storage = typename T::Storage;
  using Matrix = RegisterMatrix<T, Gate>;
  static constexpr BackwardLayout layout = T::backward;
  static constexpr RecurrentLayout token_layout = T::layout;
  static constexpr int keys = Tokens<T, Gate>::keys, columns = Tokens<T, Gate>::columns, rows = Matrix::rows;
  static constexpr int tile_bytes = T::value_tile * 4, sum_bytes = token_layout.key_warps * tile_bytes;
  static constexpr int state_bytes = rows * T::threads * thread_columns * 4;
  // In steps of tokens.
  static constexpr int run_length = run_tokens * T::token_steps, group_length = group_tokens * T::token_steps,
                       span_length = span_tokens * T::token_steps;
  const Arguments& arguments;
  const Work& work;
  const SlopePlaces<T> places;
  Matrix state, slopes;  // what the loss gains by each element of the state
  Tokens<T, Gate> tokens;
  LeafSlopes<T> of_columns[columns];
  float of_head[T::inputs] = {};
  // Of a token's later steps, for inputs that a token has once.
  static constexpr int later = T::token_steps > 1 ? T::inputs : 1;
  float later_keys[keys][later] = {}, later_columns[columns][later] = {};
  LongSum key_parameters[keys][T::parameters], column_parameters[columns][T::parameters],
      head_parameters[T::parameters];
  LongSum element_parameters[T::parameters][rows][thread_columns];
  int half = 0;
  RunningMax max_behind;  // behind the token that is walked back over
  int staged = -1;        // the first one of the run's steps that wait in shared memory

  RK_DEVICE BackwardBlock(const Arguments& from, const Work& of)
      : arguments(from), work(of), places{from, of}, state(from, of), slopes(from, of), tokens(from, of) {}

  RK_DEVICE void run() {
    const States<T, const void> behind{port<T>(arguments, final_slope_port<T>()).data, arguments.value_heads};
    load_state(slopes, behind, work.sequence, is_vectorized(arguments, final_slope_port<T>()) != 0);
    if constexpr (T::has_normaliser) {  // which one tile takes
      if (work.value_tile == 0)
        load_state_sum(slopes, port<T>(arguments, T::Ports::dfinal_state_sum).data, work.sequence);
    }
#pragma unroll 1
    for (long long run = (length() + run_length - 1) / run_length - 1; run >= 0; --run) walk_run(run);
    const States<T, void> before{port<T>(arguments, initial_slope_port<T>()).data, arguments.value_heads};
    store_state(slopes, before, work.sequence, is_vectorized(arguments, initial_slope_port<T>()) != 0);
    if constexpr (T::has_normaliser) store_sum_slopes();
    if constexpr (T::parameter_count > 0) store_parameters();
  }

 protected:
  RK_DEVICE long long length() const { return work.length * T::token_steps; }
  static RK_DEVICE int smaller(int a, int b) { return a < b ? a : b; }
  static RK_DEVICE int parts_of(int count, int length) { return (count + length - 1) / length; }

  // What a walk forward keeps.
  enum class Kept : unsigned char { groups, spans, tokens };
  struct Part {
    Kept kept;
    int from, begin, end;  // the state before `begin` has its place at `from`
  };
  // A run, or what there is of it. Before a part's last one comes the walk that keeps the states before each.
  RK_DEVICE void walk_run(long long run) {
    const long long first = run * run_length;
    const int count = static_cast<int>(clamp(length() - first, 0, run_length));
    const States<InWorkspace<T>, const void> checkpoints{run_states<T>(arguments), arguments.value_heads};
    load_state(state, checkpoints, work.first_slot + run, true);
    if constexpr (T::has_normaliser) load_state_sum(state, arguments.segment_states, work.first_slot + run);
    if constexpr (T::has_running_max) tokens.running_max = load_checkpoint_max<T>(arguments, work, run);
    keep(place_before_group(0));
    if constexpr (T::has_running_max) sync_block();  // the maximum in whose units it is
    staged = -1;
    const int groups = parts_of(count, group_length);
#pragma unroll 1
    for (int group = groups; group >= 0; --group) {
      const int begin = group * group_length, spans = parts_of(smaller(count - begin, group_length), span_length);
#pragma unroll 1
      for (int span = group == groups ? 0 : spans; span >= 0; --span) {
        const Part part = part_of(group, groups, span, spans, count);
        walk(first, part, count);
        if (part.kept != Kept::tokens) {
          if constexpr (T::has_running_max) sync_block();  // the maxima in whose units kept states are
          continue;
        }
        if constexpr (T::reads_again) sync_block();  // what all keys had of the reads
        walk_back(first, part, count);
      }
    }
  }
  static RK_DEVICE Part part_of(int group, int groups, int span, int spans, int count) {
    if (group == groups) return {Kept::groups, place_before_group(0), 0, (groups - 1) * group_length};
    const int begin = group * group_length;
    if (span == spans) return {Kept::spans, place_before_group(group), begin, begin + (spans - 1) * span_length};
    const int first = begin + span * span_length;
    return {Kept::tokens, place_before_span(group, span), first, smaller(first + span_length, count)};
  }

  static RK_DEVICE int place_of_state(int number) { return layout.states + number * state_bytes; }
  static RK_DEVICE int place_before_group(int group) { return place_of_state(group); }
  // Of a group's first span the group's own.
  static RK_DEVICE int place_before_span(int group, int span) {
    return place_of_state(span == 0 ? group : run_groups + span - 1);
  }
  // Of all steps of a span but the last one, whose state stays in registers.
  static RK_DEVICE int place_behind(int step) { return place_of_state(run_groups + group_spans - 1 + step); }

  // The run's `i`-th step. So many steps are staged together as there is place for, and stay until others are wanted.
  RK_DEVICE void take_token(long long first, int i, int count) {
    constexpr int slots = token_layout.stage_slots;
    const int begin = i / slots * slots;
    if (begin != staged) tokens.stage(first + begin, smaller(slots, count - begin));
    staged = begin;
    tokens.take(i - begin);
  }

  // A state, and the running maximum in whose units it is, which others find there once all have met.
  RK_DEVICE void keep(int place) const {
    state.keep(place);
    if constexpr (T::has_running_max)
      if (thread_index() == 0) store_max(place_of_max(place), tokens.running_max);
  }
  RK_DEVICE void take(int place) {
    state.take(place);
    if constexpr (T::has_running_max) tokens.running_max = load_max(place_of_max(place));
  }
  static RK_DEVICE int place_of_max(int place) { return layout.maxima + (place - layout.states) / state_bytes * 8; }

  RK_DEVICE void walk(long long first, const Part& part, int count) {
    take(part.from);
#pragma unroll 1
    for (int i = part.begin; i < part.end; ++i) {
      const long long index = first + i;
      turn();
      take_token(first, i, count);
      tokens.evaluate(index, half);
      sync_block();  // the token's rows and columns
      if constexpr (T::has_running_max) tokens.pass_max(half);
      Columns read;
      if constexpr (T::reads_again && T::reads_before) read = state.project(half + token_layout.query);
      const Columns erased = advance<T, Gate>(state, work, index, half);
      if (part.kept != Kept::tokens) {
        keep_before_next(part.kept, i + 1);
        continue;
      }
      const int place = i - part.begin;
      if (i + 1 < part.end) keep(place_behind(place));
      if constexpr (T::has_erase_scale) {
        if (state.row_thread == 0) store_columns(layout.erased + place * tile_bytes + state.first_column * 4, erased);
      }
      if constexpr (T::reads_again) {
        if constexpr (!T::reads_before) read = state.project(half + token_layout.query);
        if constexpr (T::has_bonus) add_bonus(state, half, read);
        store_column_sums<T>(layout.read + place * sum_bytes, read, state.first_column);
      }
    }
  }
  // The state before the run's `next`-th step, if a part begins there.
  RK_DEVICE void keep_before_next(Kept kept, int next) const {
    if (kept == Kept::groups && next % group_length == 0) keep(place_before_group(next / group_length));
    if (kept == Kept::spans && next % span_length == 0)
      keep(place_before_span(next / group_length, next % group_length / span_length));
  }
  RK_DEVICE void turn() { half = half == 0 ? token_layout.half_bytes : 0; }
  RK_DEVICE long long place_of(long long index) const { return place_of_step<T>(work, index); }
  RK_DEVICE TokenRows rows_of(long long index) const { return rows_of_step<T>(arguments, work, index); }

  RK_DEVICE void walk_back(long long first, const Part& part, int count) {
#pragma unroll 1
    for (int i = part.end - 1; i >= part.begin; --i) {
      const long long index = first + i;
      const int place = i - part.begin, before = place > 0 ? place_behind(place - 1) : part.from;
      turn();
      if constexpr (T::has_running_max) {
        max_behind = tokens.running_max;
        tokens.running_max = load_max(place_of_max(before));
      }
      take_token(first, i, count);
      tokens.evaluate(index, half);
      start_columns(index, place);
      sync_block();  // the token's rows and columns
      const float own = pass_token(index, place, i + 1 == part.end, before);
      sync_block();  // what all columns have of rows, and all rows of columns
      finish_columns(index);
      finish_keys(index, own);
      if constexpr (T::has_head_inputs) store_head_inputs(index);
    }
  }

  // From the slopes of the output to those of what was read.
  RK_DEVICE void start_columns(long long index, int place) {
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      const int column = thread_index() + i * T::threads;
      if (column >= T::value_tile) break;
      LeafSlopes<T> into;
      if (is_read<T>(index) && tokens.exists(column)) {
        const float output = tokens.now[i].slope;
        if constexpr (T::has_output) {
          RecurrentAt<T> at = at_column(index, i);
          if constexpr (T::bidirectional)
            at.read_value = global_load<float>(read_of_both<T>(arguments, work, index) + (work.value_column + column));
          else
            at.read_value = load_column_sum<T>(layout.read + place * sum_bytes, column) * arguments.scale;
          if constexpr (T::has_normaliser)
            at.normaliser_value =
                load_column_sum<T>(layout.read + place * sum_bytes, T::value_columns) * arguments.scale;
          if constexpr (T::has_running_max) at.unit_value = unit_of(max_behind);
          Gate::output_backward(at, output, into);
        } else {
          into.add_read(output);
        }
      }
      of_columns[i] = T::is_downward ? LeafSlopes<T>() : into;  // the other walk has what the output's formula adds
      shared_store<float>(layout.read_slope + column * 4, into.read * arguments.scale);
      if constexpr (T::has_normaliser)
        shared_store<float>(layout.normaliser_slope + column * 4, into.normaliser * arguments.scale);
    }
  }
  RK_DEVICE RecurrentAt<T> at_column(long long index, int i) const {
    RecurrentAt<T> at = tokens.at(index, tokens.now[i], 0, work.value_column + thread_index() + i * T::threads);
    at.value_value = tokens.now[i].value;
    return at;
  }

  // The slopes of the state behind a token become those of the state before it, at `before`; on the way what the token's
  // rows and columns gain is summed up. Returns the slope of the weight with which a bonus adds the token's own value.
  RK_DEVICE float pass_token(long long index, int place, bool is_last, int before) {
    const int first_column = state.first_column * 4;
    const long long position = position_of_step<T>(work, index);
    const bool is_read = rankone::is_read<T>(index), decays = decays_before<T>(index);
    Columns read = load_columns(layout.read_slope + first_column);
    const Columns value = load_columns(half + token_layout.value + first_column);
    if constexpr (T::has_normaliser) {
      if (state.has_sum()) read.value[0] = slope_of_normaliser();
    }
    if constexpr (!T::reads_before) {
      if (is_read) {
        if (!is_last) state.take(place_behind(place));  // of the last one it is in registers
        state.store_products(layout.query_slope, read);
        slopes.add(half + token_layout.query, read, 1.0f);
        slopes.settle();
      }
    }
    slopes.store_products(layout.key_slope, value);
    Columns written = slopes.project(half + token_layout.key);
    float own = 0.0f;
    if constexpr (T::has_bonus) {
      own = own_read();
      const float weight = state.sum_row(half + token_layout.bonus);
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) written.value[j] = multiply_add(weight, read.value[j], written.value[j]);
    }
    Columns erased;
    if constexpr (T::has_erase_scale) erased = slope_of_erased(place);

    state.take(before);
    if constexpr (T::reads_before)
      if (is_read) state.store_products(layout.query_slope, read);
    if constexpr (T::has_erase_scale && T::erases_undecayed) state.store_products(layout.erase_read_slope, erased);
    if constexpr (T::differentiates_decay || (T::has_erase_scale && !T::erases_undecayed))
      if (decays) state.decay(position, half);
    if constexpr (T::has_erase_scale && !T::erases_undecayed) {
      state.store_products(layout.erase_read_slope, erased);
      slopes.add(half + token_layout.erase_read, erased, 1.0f);
      slopes.settle();
    }
    if constexpr (T::differentiates_decay)
      if (decays) store_decay_slopes(position);
    if (decays) slopes.decay(position, half);
    if constexpr (T::has_erase_scale && T::erases_undecayed) slopes.add(half + token_layout.erase_read, erased, 1.0f);
    if constexpr (T::reads_before)
      if (is_read) slopes.add(half + token_layout.query, read, 1.0f);
    slopes.settle();
    store_column_sums<T>(layout.value_slope, written, state.first_column);
    return own;
  }
  // Of the token's own value.
  RK_DEVICE float own_read() const {
    float sum = 0.0f;
    for (int column = lane_index(); column < T::value_tile; column += warp_size)
      sum = multiply_add(shared_load<float>(half + token_layout.value + column * 4),
                         shared_load<float>(layout.read_slope + column * 4), sum);
    sum = sum_over_warp(sum);
    if constexpr (T::has_normaliser) sum += slope_of_normaliser();  // of the column of ones
    return sum;
  }
  // All of the tile's columns read it.
  static RK_DEVICE float slope_of_normaliser() {
    float sum = 0.0f;
    for (int column = 0; column < T::value_columns; column += thread_columns)
      sum += dot(load_columns(layout.normaliser_slope + column * 4), Columns{{1.0f, 1.0f, 1.0f, 1.0f}});
    return sum;
  }
  RK_DEVICE Columns slope_of_erased(int place) {
    const Columns erased = load_columns(layout.erased + place * tile_bytes + state.first_column * 4);
    slopes.store_row_sums(layout.erase_write_slope, [&](int i) { return -dot(Columns::of(slopes.values[i]), erased); });
    Columns slope =
        sums_over_keys<T>(layout.erased_slope, slopes.project(half + token_layout.erase_write), state.first_column);
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) slope.value[j] = -slope.value[j];
    return slope;
  }

  // Of log-decays: each element's is the product of the decayed state and its slope.
  RK_DEVICE void store_decay_slopes(long long position) {
    if constexpr (T::decays_by_element) return store_element_slopes(position);
    if constexpr (T::rows_decay)
      state.store_row_sums(layout.decay_slope,
                           [&](int i) { return dot(Columns::of(state.values[i]), Columns::of(slopes.values[i])); });
    if constexpr (T::columns_decay) {
      Columns sums;
      state.for_each_row([&](int, int i) {
#pragma unroll
        for (int j = 0; j < thread_columns; ++j)
          sums.value[j] = multiply_add(state.values[i][j], slopes.values[i][j], sums.value[j]);
      });
      store_column_sums<T>(layout.value_decay_slope, sums, state.first_column);
    }
  }
  // Of a full decay: of what its formula reads at each element.
  RK_DEVICE void store_element_slopes(long long position) {
    ElementSlopes sums;
    ElementInputs<T, rows> inputs;
    load_inputs<T>(state, half, inputs);
    state.for_each_row([&](int row, int i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        if (!state.has_row(row) || !state.has_column(state.first_column + j)) continue;
        const ElementAt<T> at = state.at_element(position, inputs, i, j);
        LeafSlopes<T> into;
        Gate::log_decay_backward(at, state.values[i][j] * slopes.values[i][j], into);
        add_element_inputs(into, i, j, sums);
        add_element_parameters(into, i, j);
      }
    });
    store_element_inputs(sums);
  }
  // Of inputs: the thread's part of its rows and columns.
  struct ElementSlopes {
    float of_rows[T::inputs][rows] = {};
    Columns of_columns[T::inputs];
  };
  template <int index = 0>
  RK_DEVICE void add_element_inputs(const LeafSlopes<T>& into, int i, int j, ElementSlopes& sums) {
    if constexpr (index < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[index]);
      if constexpr (axes.keys)
        sums.of_rows[index][i] += into.inputs[index];
      else if constexpr (axes.values)
        sums.of_columns[index].value[j] += into.inputs[index];
      else
        of_head[index] += into.inputs[index];
      add_element_inputs<index + 1>(into, i, j, sums);
    }
  }
  template <int index = 0> RK_DEVICE void add_element_parameters(const LeafSlopes<T>& into, int i, int j) {
    if constexpr (index < T::parameter_count) {
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      element_parameters[index][axes.keys ? i : 0][axes.values ? j : 0].add(into.parameters[index]);
      add_element_parameters<index + 1>(into, i, j);
    }
  }
  template <int index = 0> RK_DEVICE void store_element_inputs(const ElementSlopes& sums) {
    if constexpr (index < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[index]);
      if constexpr (axes.keys)
        state.store_row_sums(key_input_place(index), [&](int i) { return sums.of_rows[index][i]; });
      if constexpr (axes.values)
        store_column_sums<T>(value_input_place(index), sums.of_columns[index], state.first_column);
      store_element_inputs<index + 1>(sums);
    }
  }
  static RK_DEVICE int key_input_place(int index) {
    return layout.key_input_slopes + index * token_layout.column_warps * token_layout.rows * 4;
  }
  static RK_DEVICE int value_input_place(int index) { return layout.value_input_slopes + index * sum_bytes; }

  // From the slopes of a token's columns to those of what their formulas read.
  RK_DEVICE void finish_columns(long long index) {
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      const int column = thread_index() + i * T::threads;
      if (column >= T::value_tile || !tokens.exists(column)) break;
      const RecurrentAt<T> at = at_column(index, i);
      LeafSlopes<T>& into = of_columns[i];
      if constexpr (T::walks_keys) {
        const float value = load_column_sum<T>(layout.value_slope, column);
        if constexpr (T::has_value)
          Gate::value_backward(at, value, into);
        else
          into.add_value(value);
      }
      if constexpr (T::columns_decay && T::differentiates_decay)
        if (decays_before<T>(index)) pass_column_decay(at, column, into);
      store_column(index, i, column, into);
    }
  }
  static RK_DEVICE void pass_column_decay(const RecurrentAt<T>& at, int column, LeafSlopes<T>& into) {
    const float decay = load_column_sum<T>(layout.value_decay_slope, column);
    if constexpr (T::decays_on_both_sides)
      Gate::log_decay_of_value_backward(at, decay, into);
    else
      Gate::log_decay_backward(at, decay, into);
  }
  RK_DEVICE void store_column(long long index, int i, int column, const LeafSlopes<T>& into) {
    if constexpr (T::walks_keys) store_value(index, column, into.value);
    store_column_inputs(index, i, column, into);
    add_column_parameters(i, into);
  }
  RK_DEVICE void store_value(long long index, int column, float slope) {
    const TensorArgument& dv = port<T>(arguments, T::Ports::dv);
    if (dv.data == nullptr) return;
    if constexpr (T::bidirectional) {
      const Global<float> sum = value_slope(index) + (work.value_column + column);
      if constexpr (T::is_downward)
        slope += global_load<float>(sum);
      else
        return global_store<float>(sum, slope);
    }
    global_store<Storage>(
        global<Storage>(dv.data) + (work.batch * dv.batch_stride + rows_of(index).step * dv.token_stride +
                                    work.head * dv.head_stride + work.value_column + column),
        Element<Storage>::from(slope));
  }
  // Of the first of two walks.
  RK_DEVICE Global<float> value_slope(long long index) const {
    const long long row = work.batch * arguments.tokens + place_of(index);
    return global<float>(arguments.segment_decays) + (row * arguments.value_heads + work.head) * T::value_dim;
  }
  template <int input = 0>
  RK_DEVICE void store_column_inputs(long long index, int i, int column, const LeafSlopes<T>& into) {
    if constexpr (input < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[input]);
      float slope = into.inputs[input];
      if constexpr (axes.values) {
        if constexpr (T::decays_by_element && T::differentiates_decay)
          if (decays_before<T>(index)) slope += load_column_sum<T>(value_input_place(input), column);
        if constexpr (fetches_input<T>(input))
          store_input<input>(index, later_columns[i], work.value_column + column, slope);
      } else if constexpr (!axes.keys) {
        of_head[input] += slope;
      }
      store_column_inputs<input + 1>(index, i, column, into);
    }
  }
  // At one key or column. What a token has once is summed over its steps.
  template <int input> RK_DEVICE void store_input(long long index, float (&of_later)[later], int element, float slope) {
    constexpr SlopePart part = T::slopes.inputs[input];
    constexpr int gradient = T::Ports::first_input_gradient + input;
    if constexpr (T::token_steps == 1 || is_of_steps<T>(input)) {
      store_slope(index, part, element, slope, gradient, is_of_steps<T>(input));
    } else {
      slope += of_later[input];
      const bool is_first = decays_before<T>(index);
      of_later[input] = is_first ? 0.0f : slope;
      if (is_first) store_slope(index, part, element, slope, gradient, false);
    }
  }
  template <int index = 0> RK_DEVICE void add_column_parameters(int i, const LeafSlopes<T>& into) {
    if constexpr (index < T::parameter_count) {
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      if constexpr (axes.values)
        column_parameters[i][index].add(into.parameters[index]);
      else if constexpr (!axes.keys)
        head_parameters[index].add(into.parameters[index]);
      add_column_parameters<index + 1>(i, into);
    }
  }
  // The second of two walks adds to what the first one has left.
  static RK_DEVICE void store_sum(Global<float> place, float sum) {
    if constexpr (T::is_downward) sum += global_load<float>(place);
    global_store<float>(place, sum);
  }
  RK_DEVICE void store_slope(long long index, SlopePart part, int element, float slope, int gradient,
                             bool of_steps) const {
    if (is_wanted<T>(arguments, gradient))
      store_sum(places.of_token(place_of(index), part, of_steps ? step_in_token<T>(index) : 0) + element, slope);
  }

  // Likewise of its rows. Where formulas reduce them, threads without a key come along, and store nothing.
  RK_DEVICE void finish_keys(long long index, float own) {
#pragma unroll
    for (int i = 0; i < keys; ++i) {
      const int place = thread_index() + i * T::threads;
      const bool has_key = place < T::key_dim;
      if (!T::reduces_keys && !has_key) break;
      const int key = has_key ? place : 0;
      const RawToken<T>& raw = tokens.now_keys[i];
      RecurrentAt<T> at = tokens.at(index, raw, key, 0);
      tokens.reduction.has_key = has_key;
      at.reduction = &tokens.reduction;
      if constexpr (T::walks_queries) at.query_value = tokens.feature(at, raw.query, raw.other_query);
      if constexpr (T::reads_key && T::walks_keys) at.key_value = tokens.feature(at, raw.key, raw.other_key);
      if constexpr (T::rows_decay)
        at.decay_value = row_number(half + token_layout.decay, key) + row_number(half + token_layout.decay_low, key);
      LeafSlopes<T> into;
      pass_formulas(at, index, key, own, into);
      if constexpr (T::piece_count > 0) {
        ElementSlope of_query, of_key;
        if constexpr (T::walks_queries) of_query = pass_feature(at, raw.query, raw.other_query, into.query);
        if constexpr (T::reads_key && T::walks_keys) of_key = pass_feature(at, raw.key, raw.other_key, into.key);
        if (has_key) keep_element_slopes(key, of_query, of_key);
      } else {
        if constexpr (T::walks_queries) into.query = feature_slope(at, raw.query, into.query);
        if constexpr (T::reads_key && T::walks_keys) into.key = feature_slope(at, raw.key, into.key);
      }
      if (has_key) store_key(index, i, key, into);
    }
    if constexpr (T::piece_count > 0) {
      sync_block();  // what all features add to elements
      store_elements(index);
    }
  }
  static RK_DEVICE float feature_slope(const RecurrentAt<T>& at, float element, float slope) {
    if constexpr (T::feature_map_reads_place)
      return Gate::feature_map_backward(at, element, slope);
    else
      return Gate::feature_map_backward(element, slope);
  }

  // What a feature adds to the slopes of the elements that it is made of.
  struct ElementSlope {
    float element = 0.0f, other = 0.0f;
    RK_DEVICE void add_element(float slope) { element += slope; }
    RK_DEVICE void add_other(float slope) { other += slope; }
  };
  RK_DEVICE ElementSlope pass_feature(const RecurrentAt<T>& at, float element, float other, float slope) {
    ElementSlope into;
    pass_piece(at, feature_place<T>(at.key_index), element, other, slope, into);
    return into;
  }
  template <int index = 0>
  RK_DEVICE void pass_piece(const RecurrentAt<T>& at, const FeaturePlace& from, float element, float other, float slope,
                            ElementSlope& into) {
    const bool is_here = from.piece == index;
    if constexpr (T::piece_reduces[index]) {
      bool& has_key = tokens.reduction.has_key;
      const bool had_key = has_key;
      has_key = had_key && is_here;
      ElementSlope own;
      Gate::template feature_map_backward<index>(at, element, other, slope, own);
      if (is_here) into = own;
      has_key = had_key;
    } else if (is_here) {
      Gate::template feature_map_backward<index>(at, element, other, slope, into);
    }
    if constexpr (index + 1 < T::piece_count) pass_piece<index + 1>(at, from, element, other, slope, into);
  }
  // Rows of the query's and the key's, and then of those that are the second of a pair.
  static RK_DEVICE int element_row(int row) { return layout.element_slopes + row * token_layout.rows * 4; }
  RK_DEVICE void keep_element_slopes(int feature, const ElementSlope& of_query, const ElementSlope& of_key) const {
    const auto keep = [&](int row, float slope) { shared_store<float>(element_row(row) + feature * 4, slope); };
    keep(0, of_query.element);
    keep(1, of_key.element);
    if constexpr (has_pairs<T>()) {
      keep(2, of_query.other);
      keep(3, of_key.other);
    }
  }
  RK_DEVICE void store_elements(long long index) const {
    constexpr SlopePart query = T::slopes.query, of_key = T::slopes.key;
    for (int element = thread_index(); element < T::element_dim; element += T::threads) {
      if constexpr (T::walks_queries)
        if (is_read<T>(index)) store_slope(index, query, element, sum_of_element(0, element), T::Ports::dq, false);
      if constexpr (T::reads_key && T::walks_keys)
        store_slope(index, of_key, element, sum_of_element(1, element), T::Ports::dk, true);
    }
  }
  // Over the features that are made of it.
  RK_DEVICE float sum_of_element(int row, int element) const {
    constexpr int elements = T::element_dim;
    const int first_row = element_row(row), second_row = element_row(row + 2);
    float sum = 0.0f;
    int first = 0;
#pragma unroll
    for (int i = 0; i < T::piece_count; ++i) {
      if (T::pieces[i] == PieceWidth::elements) sum += row_number(first_row, first + element);
      if (T::pieces[i] == PieceWidth::pairs)
        for (int other = 0; other < elements; ++other)
          sum += row_number(first_row, first + element * elements + other) +
                 row_number(second_row, first + other * elements + element);
      first += features_of(T::pieces[i], elements);
    }
    return sum;
  }
  RK_DEVICE float row_number(int place, int key) const { return shared_load<float>(place + key * 4); }
  RK_DEVICE void pass_formulas(const RecurrentAt<T>& at, long long index, int key, float own,
                               LeafSlopes<T>& into) const {
    if constexpr (!T::walks_keys)
      pass_query(at, load_row_sum<T>(layout.query_slope, key), into);
    else
      pass_written(at, index, key, own, into);
  }
  RK_DEVICE void pass_query(const RecurrentAt<T>& at, float slope, LeafSlopes<T>& into) const {
    if constexpr (T::has_query)
      Gate::query_backward(at, slope, into);
    else
      into.add_query(slope);
  }
  RK_DEVICE void pass_written(const RecurrentAt<T>& at, long long index, int key, float own,
                              LeafSlopes<T>& into) const {
    const float written = Gate::key(at);
    float scale = Gate::write_scale(at);
    [[maybe_unused]] float rescaled = 1.0f;
    if constexpr (T::has_running_max) {
      rescaled = rescale(Gate::log_decay(at), Gate::write_log_scale(at), tokens.running_max).write;
      scale *= rescaled;
    }
    float of_query = 0.0f, of_scaled = load_row_sum<T>(layout.key_slope, key);
    if constexpr (T::walks_queries)
      if (is_read<T>(index)) of_query = load_row_sum<T>(layout.query_slope, key);
    if constexpr (T::has_bonus) {
      float query = at.query_value;
      if constexpr (T::has_query) query = Gate::query(at);
      const float scaled = written * scale, weight = Gate::bonus(at) * own;
      of_query = multiply_add(weight, scaled, of_query);
      of_scaled = multiply_add(weight, query, of_scaled);
      Gate::bonus_backward(at, query * scaled * own, into);
    }
    float of_written = of_scaled * scale;
    if constexpr (T::has_write_scale) Gate::write_scale_backward(at, of_scaled * written * rescaled, into);
    if constexpr (T::has_running_max) Gate::write_log_scale_backward(at, of_written * written, into);
    if constexpr (T::has_erase_scale) {
      const float erased = load_row_sum<T>(layout.erase_write_slope, key),
                  read = load_row_sum<T>(layout.erase_read_slope, key);
      const float erase = Gate::erase_scale(at);
      float write = written;
      if constexpr (T::has_erase_write) write = Gate::erase_write(at);
      Gate::erase_scale_backward(at, erased * write, into);
      if constexpr (T::has_erase_write)
        Gate::erase_write_backward(at, erased * erase, into);
      else
        of_written = multiply_add(erased, erase, of_written);
      if constexpr (T::has_erase_read)
        Gate::erase_read_backward(at, read, into);
      else
        of_written += read;
    }
    if constexpr (T::walks_queries) pass_query(at, of_query, into);
    Gate::key_backward(at, of_written, into);
    if constexpr (T::rows_decay && T::differentiates_decay)
      if (decays_before<T>(index)) pass_key_decay(at, key, into);
  }
  RK_DEVICE void pass_key_decay(const RecurrentAt<T>& at, int key, LeafSlopes<T>& into) const {
    const float decay = multiply_add(at.decay_value, into.decay, load_row_sum<T>(layout.decay_slope, key));
    if constexpr (T::decays_on_both_sides)
      Gate::log_decay_of_key_backward(at, decay, into);
    else
      Gate::log_decay_backward(at, decay, into);
  }
  RK_DEVICE void store_key(long long index, int i, int key, const LeafSlopes<T>& into) {
    constexpr SlopePart query = T::slopes.query, of_key = T::slopes.key;
    if constexpr (T::piece_count == 0) {
      if constexpr (T::walks_queries)
        if (is_read<T>(index)) store_slope(index, query, key, into.query, T::Ports::dq, false);
      if constexpr (T::reads_key && T::walks_keys) store_slope(index, of_key, key, into.key, T::Ports::dk, true);
    }
    store_key_inputs(index, i, key, into);
    add_key_parameters(i, into);
  }
  template <int input = 0> RK_DEVICE void store_key_inputs(long long index, int i, int key, const LeafSlopes<T>& into) {
    if constexpr (input < T::input_count) {
      constexpr Columnwise axes = columnwise(T::input_axes[input]);
      float slope = into.inputs[input];
      if constexpr (axes.keys) {
        if constexpr (T::decays_by_element && T::differentiates_decay)
          if (decays_before<T>(index)) slope += load_row_sum<T>(key_input_place(input), key);
        if constexpr (fetches_input<T>(input)) store_input<input>(index, later_keys[i], key, slope);
      } else if constexpr (!axes.values) {
        of_head[input] += slope;
      }
      store_key_inputs<input + 1>(index, i, key, into);
    }
  }
  template <int index = 0> RK_DEVICE void add_key_parameters(int i, const LeafSlopes<T>& into) {
    if constexpr (index < T::parameter_count) {
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      if constexpr (axes.keys && !axes.values)
        key_parameters[i][index].add(into.parameters[index]);
      else if constexpr (!axes.keys && !axes.values)
        head_parameters[index].add(into.parameters[index]);
      add_key_parameters<index + 1>(i, into);
    }
  }

  // Inputs that have one number a head gain by all keys and columns.
  RK_DEVICE void store_head_inputs(long long index) {
    store_warps_of_head(index);
    sync_block();  // what all warps have
    if (thread_index() == 0) store_sums_of_head(index);
  }
  // What a token has once is summed over its steps.
  template <int input> static RK_DEVICE bool is_complete(long long index) {
    return is_of_steps<T>(input) || decays_before<T>(index);
  }
  template <int input = 0> RK_DEVICE void store_warps_of_head(long long index) {
    if constexpr (input < T::input_count) {
      if (is_of_heads(T::input_axes[input]) && is_complete<input>(index)) {
        const float sum = sum_over_warp(of_head[input]);
        of_head[input] = 0.0f;
        if (lane_index() == 0) shared_store<float>(head_place(input, warp_index()), sum);
      }
      store_warps_of_head<input + 1>(index);
    }
  }
  template <int input = 0> RK_DEVICE void store_sums_of_head(long long index) const {
    if constexpr (input < T::input_count) {
      constexpr SlopePart part = T::slopes.inputs[input];
      if (is_of_heads(T::input_axes[input]) && fetches_input<T>(input) && is_complete<input>(index))
        store_slope(index, part, 0, sum_of_warps(input), T::Ports::first_input_gradient + input, is_of_steps<T>(input));
      store_sums_of_head<input + 1>(index);
    }
  }
  static RK_DEVICE int head_place(int input, int warp) { return layout.head_slopes + (input * T::warps + warp) * 4; }
  RK_DEVICE float sum_of_warps(int input) const {
    float sum = 0.0f;
    for (int warp = 0; warp < T::warps; ++warp) sum += shared_load<float>(head_place(input, warp));
    return sum;
  }

  // The tile's part of the initial sum's gradient.
  RK_DEVICE void store_sum_slopes() const {
    constexpr SlopePart part = T::slopes.sum;
    if (is_wanted<T>(arguments, T::Ports::dinitial_state_sum)) slopes.store_sum(places.of_sequence(part));
  }

  // The sequence's part of parameters' gradients.
  template <int index = 0> RK_DEVICE void store_parameters() {
    if constexpr (index < T::parameter_count) {
      constexpr SlopePart part = T::slopes.parameters[index];
      constexpr Columnwise axes = columnwise(T::parameter_axes[index]);
      if (is_wanted<T>(arguments, T::Ports::first_parameter_gradient + index)) {
        const Global<float> place = places.of_sequence(part);
        if constexpr (axes.keys && axes.values)
          store_element_parameters(place, index);
        else if constexpr (axes.keys)
          store_key_parameters(place, index);
        else if constexpr (axes.values)
          store_column_parameters(place, index);
        else
          store_head_parameter(place, index);
      }
      store_parameters<index + 1>();
    }
  }
  RK_DEVICE void store_element_parameters(Global<float> place, int p) const {
    state.for_each_row([&](int row, int i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        const int column = state.first_column + j;
        if (state.has_row(row) && state.has_column(column))
          store_sum(place + (static_cast<long long>(row) * T::value_dim + work.value_column + column),
                    element_parameters[p][i][j].total());
      }
    });
  }
  RK_DEVICE void store_key_parameters(Global<float> place, int p) {
    if constexpr (T::decays_by_element) {
      sync_block();  // all keys have been finished
      state.store_row_sums(layout.query_slope, [&](int i) { return element_parameters[p][i][0].total(); });
      sync_block();  // what all columns have
    }
#pragma unroll
    for (int i = 0; i < keys; ++i) {
      const int key = thread_index() + i * T::threads;
      if (key >= T::key_dim) break;
      float sum = key_parameters[i][p].total();
      if constexpr (T::decays_by_element) sum += load_row_sum<T>(layout.query_slope, key);
      store_sum(place + key, sum);
    }
  }
  RK_DEVICE void store_column_parameters(Global<float> place, int p) {
    if constexpr (T::decays_by_element) {
      turn();
      Columns sums;
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) sums.value[j] = element_parameters[p][0][j].total();
      store_column_sums<T>(half + token_layout.erased, sums, state.first_column);
      sync_block();  // what all keys have
    }
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      const int column = thread_index() + i * T::threads;
      if (column >= T::value_tile || !tokens.exists(column)) break;
      float sum = column_parameters[i][p].total();
      if constexpr (T::decays_by_element) sum += load_column_sum<T>(half + token_layout.erased, column);
      store_sum(place + (work.value_column + column), sum);
    }
  }
  RK_DEVICE void store_head_parameter(Global<float> place, int p) {
    turn();
    float part = head_parameters[p].total();
    if constexpr (T::decays_by_element) part += element_parameters[p][0][0].total();
    part = sum_over_warp(part);
    if (lane_index() == 0) shared_store<float>(half + token_layout.read + warp_index() * 4, part);
    sync_block();  // what all warps have
    if (thread_index() != 0) return;
    float sum = 0.0f;
    for (int warp = 0; warp < T::warps; ++warp) sum += shared_load<float>(half + token_layout.read + warp * 4);
    store_sum(place, sum);
  }
};

template <class Policy, class Gate> RK_DEVICE void recurrent_backward(const Arguments& arguments) {
  using T = BackwardTraits<Policy>;
  Work work;
  place_sequence<T>(arguments, place_tile<T>(arguments, block_index(), work), run_tokens, work);
  BackwardBlock<T, Gate>(arguments, work).run();
}

}  // namespace rankone
