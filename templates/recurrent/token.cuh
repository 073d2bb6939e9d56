// SPDX-License-Identifier: MIT
// A token's rows and columns: fetched from global memory ahead of the walk, and through the variant's formulas into shared
// memory.
#pragma once

#include "device/math.cuh"
#include "device/shared.cuh"
#include "kernels/parameter.cuh"
#include "kernels/sequence.cuh"
#include "recurrent/factor.cuh"
#include "recurrent/key_reduction.cuh"
#include "recurrent/order.cuh"
#include "recurrent/phase.cuh"
#include "recurrent/policy.cuh"
#include "recurrent/scan.cuh"
#include "recurrent/units.cuh"

namespace rankone {

// What formulas read at one key, value column or element of the state.
template <class T> struct RecurrentAt {
  const Arguments& arguments;
  const Work& work;
  long long position_value;
  int key_index, column;
  float inputs[T::inputs];
  float query_value = 0.0f, key_value = 0.0f, value_value = 0.0f, decay_value = 1.0f, read_value = 0.0f,
        normaliser_value = 0.0f, unit_value = 1.0f, scanned_value = 0.0f, scanned_before_value = 0.0f;
  KeyReduction<T>* reduction = nullptr;  // where there are rows to reduce

  RK_DEVICE float query() const { return query_value; }
  RK_DEVICE float key() const { return key_value; }
  RK_DEVICE float value() const { return value_value; }
  RK_DEVICE float decay() const { return decay_value; }
  RK_DEVICE float read() const { return read_value; }
  RK_DEVICE float normaliser() const { return normaliser_value; }
  RK_DEVICE float unit() const { return unit_value; }
  RK_DEVICE float scanned() const { return scanned_value; }
  RK_DEVICE float scanned_before() const { return scanned_before_value; }
  RK_DEVICE float head() const { return static_cast<float>(work.head); }
  RK_DEVICE float heads() const { return static_cast<float>(arguments.value_heads); }
  RK_DEVICE float position() const { return static_cast<float>(position_value); }
  template <int index> RK_DEVICE float scalar() const { return arguments.scalars[index]; }
  template <int index> RK_DEVICE float parameter() const {
    return load_parameter<T, index>(arguments, {work.query_head, work.head, key_index, column});
  }
  template <int index> RK_DEVICE float input() const { return inputs[index]; }
  // All threads of the block call them together.
  RK_DEVICE float key_sum(float term) const { return reduction->sum(term); }
  RK_DEVICE float key_max(float term) const { return reduction->max(term); }
};

// A walk counts a token's steps, one after the other: the token that the `index`-th one is of, and which of its steps it is.
template <class T> RK_DEVICE long long token_of_step(long long index) { return index / T::token_steps; }
template <class T> RK_DEVICE int step_in_token(long long index) {
  return T::token_steps == 1 ? 0 : static_cast<int>(index % T::token_steps);
}
// The state decays before the first one. Queries read behind the last one, or before the first.
template <class T> RK_DEVICE bool decays_before(long long index) { return step_in_token<T>(index) == 0; }
template <class T> RK_DEVICE bool is_last_step(long long index) {
  return step_in_token<T>(index) == T::token_steps - 1;
}
template <class T> RK_DEVICE bool is_read(long long index) {
  return T::reads_before ? decays_before<T>(index) : is_last_step<T>(index);
}
template <class T> RK_CONSTEXPR bool is_of_steps(int input) { return (T::step_inputs >> input & 1) != 0; }

// Rows of the tensors that have one for each token, and for each step.
struct TokenRows {
  long long token, step;
};
// Their place in the walk's order.
template <class T> RK_DEVICE long long place_of_step(const Work& work, long long index) {
  return token_of<T>(work.start, work.length, token_of_step<T>(index));
}
template <class T> RK_DEVICE TokenRows rows_of_step(const Arguments& arguments, const Work& work, long long index) {
  const long long token = token_at<T>(arguments, place_of_step<T>(work, index));
  return {token, token * T::token_steps + step_in_token<T>(index)};
}
template <class T> RK_DEVICE long long position_of_step(const Work& work, long long index) {
  return token_of<T>(work.position, work.length, token_of_step<T>(index));
}

// Numbers of one key or one value column of a token, as they stand in the tensors.
template <class T> struct RawToken {
  float query = 0.0f, key = 0.0f, value = 0.0f;
  float other_query = 0.0f, other_key = 0.0f;  // of a pair the second
  float slope = 0.0f;                          // of the output
  float inputs[T::inputs] = {};

  template <class Type>
  static RK_DEVICE float element(const Arguments& arguments, const Work& work, int index, int head, long long token,
                                 int column) {
    const TensorArgument& tensor = port<T>(arguments, index);
    return to_float(global_load<Type>(
        global<const Type>(tensor.data) +
        (work.batch * tensor.batch_stride + token * tensor.token_stride + head * tensor.head_stride + column)));
  }
  // `other_side`: the axis that these numbers do not run over.
  template <AxisBit other_side, int index = 0>
  RK_DEVICE void load_inputs(const Arguments& arguments, const Work& work, const TokenRows& rows, int column) {
    if constexpr (index < T::input_count) {
      using Type = typename TypeOf<T::input_types[index]>::Type;
      constexpr unsigned axes = T::input_axes[index];
      if constexpr (!has_axis(axes, other_side) && fetches_input<T>(index)) {
        const int head = has_axis(axes, query_head_axis) ? work.query_head : work.head;
        const bool has_columns = has_axis(axes, key_axis) || has_axis(axes, value_axis);
        inputs[index] = element<Type>(arguments, work, T::Ports::first_input + index, head,
                                      is_of_steps<T>(index) ? rows.step : rows.token, has_columns ? column : 0);
      }
      load_inputs<other_side, index + 1>(arguments, work, rows, column);
    }
  }
};

// The numbers that a thread fetches and evaluates: those of every `threads`-th key, and of value columns.
template <class T, class Gate> struct Tokens {
  using Storage = typename T::Storage;
  static constexpr RecurrentLayout layout = T::layout;
  static constexpr int keys = (layout.rows + T::threads - 1) / T::threads;
  static constexpr int columns = (T::value_tile + T::threads - 1) / T::threads;
  const Arguments& arguments;
  const Work& work;
  RawToken<T> now_keys[keys], now[columns];  // of the token at hand
  KeyReduction<T> reduction;
  RunningMax running_max = running_max_of_nothing();  // before the token that is evaluated, where there is one
  static constexpr int scans = T::scans_values ? columns : keys;
  Scanned scanned[scans], scanned_before[scans];  // of a scan, behind that token and before it
  // What the last token that was evaluated has written, and of its key what the one before it has: where that is written again.
  static constexpr int lagged_keys = T::has_lagged_scale ? keys : 1, lagged_columns = T::has_lagged_scale ? columns : 1;
  float last_key[lagged_keys] = {}, last_value[lagged_columns] = {}, key_before[lagged_keys] = {};

  RK_DEVICE Tokens(const Arguments& from, const Work& of) : arguments(from), work(of) {
#pragma unroll
    for (int i = 0; i < scans; ++i) scanned[i] = scanned_before[i] = scan_of_nothing<T>();
  }

  // Of v, that is.
  RK_DEVICE bool exists(int column) const {
    return (!T::has_normaliser || column < T::value_columns) && work.value_column + column < T::value_dim;
  }
  RK_DEVICE RecurrentAt<T> at(long long index, const RawToken<T>& raw, int key, int column) const {
    RecurrentAt<T> at{arguments, work, position_of_step<T>(work, index), key, column, {}};
#pragma unroll
    for (int i = 0; i < T::inputs; ++i) at.inputs[i] = raw.inputs[i];
    return at;
  }

  // What the feature map makes of a key's element or two.
  RK_DEVICE float feature(const RecurrentAt<T>& at, float element, float other) {
    if constexpr (T::piece_count > 0)
      return piece(at, feature_place<T>(at.key_index), element, other);
    else if constexpr (T::feature_map_reads_place)
      return Gate::feature_map(at, element);
    else
      return Gate::feature_map(element);
  }
  // Where a piece reduces its row, all threads come along, and those of other pieces add nothing.
  template <int index = 0>
  RK_DEVICE float piece(const RecurrentAt<T>& at, const FeaturePlace& from, float element, float other) {
    const bool is_here = from.piece == index;
    float own = 0.0f;
    if constexpr (T::piece_reduces[index]) {
      const bool had_key = reduction.has_key;
      reduction.has_key = had_key && is_here;
      own = Gate::template feature_map<index>(at, element, other);
      reduction.has_key = had_key;
    } else if (is_here) {
      own = Gate::template feature_map<index>(at, element, other);
    }
    if constexpr (index + 1 < T::piece_count) {
      const float of_later = piece<index + 1>(at, from, element, other);
      return is_here ? own : of_later;
    }
    return own;
  }

  RK_DEVICE void set_scan(RecurrentAt<T>& at, int i) const {
    at.scanned_value = scanned[i].value;
    at.scanned_before_value = scanned_before[i].value;
  }
  // Calls visit(key, i) for the thread's keys, or visit(slot, i) for its columns: whose numbers of a scan it has.
  template <class Visit> RK_DEVICE void visit_scans(const Visit& visit) const {
    if constexpr (T::scans_values)
      for_each_column([&](int column, int i) { visit(work.value_column + column, i); });
    else
      for_each_key(visit);
  }
  // Calls visit(key or slot, what has been summed up at it).
  template <class Visit> RK_DEVICE void for_each_scan(const Visit& visit) {
    visit_scans([&](int key, int i) { visit(key, scanned[i]); });
  }
  template <class Visit> RK_DEVICE void for_each_scan(const Visit& visit) const {
    visit_scans([&](int key, int i) { visit(key, scanned[i]); });
  }

  // What formulas of keys read at the thread's i-th key of the token at hand. Where they reduce rows, threads without a key come
  // along, and add nothing.
  RK_DEVICE RecurrentAt<T> at_key(long long index, int i) {
    const RawToken<T>& raw = now_keys[i];
    const int key = thread_index() + i * T::threads;
    reduction.has_key = !T::reduces_keys || key < T::key_dim;
    RecurrentAt<T> at = this->at(index, raw, reduction.has_key ? key : 0, 0);
    at.reduction = &reduction;
    if constexpr (T::reads_key && T::walks_keys) at.key_value = feature(at, raw.key, raw.other_key);
    return at;
  }
  static RK_DEVICE Unrounded decay_of_key(const RecurrentAt<T>& at) {
    float log_decay;
    if constexpr (T::decays_on_both_sides)
      log_decay = Gate::log_decay_of_key(at);
    else
      log_decay = Gate::log_decay(at);
    return decay_factor<T::compensated>(log_decay);
  }
  // What formulas of value columns read, and the value that is written.
  RK_DEVICE RecurrentAt<T> at_value(long long index, const RawToken<T>& raw, int column) const {
    RecurrentAt<T> at = this->at(index, raw, 0, work.value_column + column);
    at.value_value = raw.value;
    return at;
  }
  static RK_DEVICE float value_of(const RecurrentAt<T>& at) {
    if constexpr (T::has_value)
      return Gate::value(at);
    else
      return at.value_value;
  }

  // Once all threads have met behind an evaluation: the token counts.
  RK_DEVICE void pass_max(int half) { running_max = load_max(half + layout.running_max); }

  // Calls visit(key, i) and visit(column, i) for the keys and value columns of the thread.
  template <class Visit> static RK_DEVICE void visit_keys(const Visit& visit) { for_each_key(visit); }
  template <class Visit> RK_DEVICE void visit_columns(const Visit& visit) const { for_each_column(visit); }

  // Before a walk that begins with the `index`-th step.
  RK_DEVICE void begin(long long index) {
    if constexpr (!T::stages_tokens) fetch(index);
  }
  // The walk's `number`-th step, of which `left` are still to come, this one included.
  RK_DEVICE void arrive(long long index, long long number, long long left) {
    if constexpr (T::stages_tokens) {
      const int slot = static_cast<int>(number % layout.stage_slots);
      if (slot == 0) stage(index, static_cast<int>(left < layout.stage_slots ? left : layout.stage_slots));
      take(slot);
    } else {
#pragma unroll
      for (int i = 0; i < keys; ++i) now_keys[i] = next_keys[i];
#pragma unroll
      for (int i = 0; i < columns; ++i) now[i] = next_columns[i];
      if (left > 1) fetch(index + 1);
    }
  }

  // Steps from the `first`-th on go to shared memory, where each thread finds what it has fetched.
  RK_DEVICE void stage(long long first, int count) {
    constexpr int together = steps_together();
#pragma unroll 1
    for (int begin = 0; begin < count; begin += together) {
      // All are under way before the first one is waited for; beyond the last step it is that one again.
      RawToken<T> of_keys[together][keys], of_columns[together][columns];
#pragma unroll
      for (int i = 0; i < together; ++i)
        load(first + (begin + i < count ? begin + i : count - 1), of_keys[i], of_columns[i]);
#pragma unroll
      for (int i = 0; i < together; ++i) put(begin + i, of_keys[i], of_columns[i]);
    }
  }
  // What was staged in a slot is the token at hand.
  RK_DEVICE void take(int slot) {
    for_each_key([&](int key, int i) {
      RawToken<T>& raw = now_keys[i];
      const auto get = [&](int row) { return shared_load<float>(key_place(slot, row, key)); };
      if constexpr (T::reads_query && T::walks_queries) raw.query = get(0);
      if constexpr (T::reads_key && T::walks_keys) raw.key = get(1);
      if constexpr (has_pairs<T>()) {
        if constexpr (T::reads_query && T::walks_queries) raw.other_query = get(2);
        if constexpr (T::reads_key && T::walks_keys) raw.other_key = get(3);
      }
      for_each_input<value_axis>([&](int index, int row) { raw.inputs[index] = get(first_key_input<T>() + row); });
    });
    for_each_column([&](int column, int i) {
      RawToken<T>& raw = now[i];
      const auto get = [&](int row) { return shared_load<float>(column_place(slot, row, column)); };
      if constexpr (T::reads_value && T::walks_keys) raw.value = get(0);
      if constexpr (T::fetches_slopes && T::walks_queries) raw.slope = get(1);
      for_each_input<key_axis>([&](int index, int row) { raw.inputs[index] = get(first_column_input + row); });
    });
  }

  // The walk's `index`-th step from global memory. Threads that have no key or no column load another one's: loads under
  // conditions would wait for each other.
  RK_DEVICE void load(long long index, RawToken<T> (&of_keys)[keys], RawToken<T> (&of_columns)[columns]) const {
    const TokenRows rows = rows_of_step<T>(arguments, work, index);
#pragma unroll
    for (int i = 0; i < keys; ++i) {
      RawToken<T>& raw = of_keys[i];
      const int own = thread_index() + i * T::threads, key = own < T::key_dim ? own : T::key_dim - 1;
      const FeaturePlace from = feature_place<T>(key);
      const auto load = [&](int tensor, long long row, int element) {
        return RawToken<T>::template element<Storage>(arguments, work, tensor, work.query_head, row, element);
      };
      if constexpr (T::reads_query && T::walks_queries) raw.query = load(T::Ports::q, rows.token, from.element);
      if constexpr (T::reads_key && T::walks_keys) raw.key = load(T::Ports::k, rows.step, from.element);
      if constexpr (has_pairs<T>()) {
        if constexpr (T::reads_query && T::walks_queries) raw.other_query = load(T::Ports::q, rows.token, from.other);
        if constexpr (T::reads_key && T::walks_keys) raw.other_key = load(T::Ports::k, rows.step, from.other);
      }
      raw.template load_inputs<value_axis>(arguments, work, rows, key);
    }
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      RawToken<T>& raw = of_columns[i];
      const int own = thread_index() + i * T::threads,
                value_column = work.value_column + (own < T::value_tile && exists(own) ? own : 0);
      if constexpr (T::reads_value && T::walks_keys)
        raw.value = RawToken<T>::template element<Storage>(arguments, work, T::Ports::v, work.head, rows.step, value_column);
      if constexpr (T::fetches_slopes && T::walks_queries)
        if (is_read<T>(index))
          raw.slope = RawToken<T>::template element<typename T::Output>(arguments, work, T::Ports::output_slope, work.head,
                                                                        rows.token, value_column);
      raw.template load_inputs<key_axis>(arguments, work, rows, value_column);
    }
  }

  // What was fetched becomes rows and columns of the half that starts at `half`.
  RK_DEVICE void evaluate(long long index, int half) {
#pragma unroll
    for (int i = 0; i < keys; ++i) {
      const int key = thread_index() + i * T::threads;
      if constexpr (T::has_scan && !T::scans_values) scanned_before[i] = scanned[i];
      if (T::reduces_keys || key < T::key_dim) write_key(index, half, key, i);
    }
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      const int column = thread_index() + i * T::threads;
      if constexpr (T::scans_values) scanned_before[i] = scanned[i];
      if (column < T::value_tile) write_column(index, half, column, i);
    }
  }

 private:
  RawToken<T> next_keys[keys], next_columns[columns];  // under way

  // Whether each thread has an i-th key. Under a condition, threads without one would keep the last token's numbers, in a
  // register for each: those of forward's blocks are few. Of a full decay parameters of elements have most of them, and without the
  // condition ptxas spills what it makes of these.
  static RK_CONSTEXPR bool all_have_key(int i) {
    return !T::splits_columns && !T::decays_by_element && (i + 1) * T::threads <= T::key_dim;
  }
  template <class Visit> static RK_DEVICE void for_each_key(const Visit& visit) {
#pragma unroll
    for (int i = 0; i < keys; ++i)
      if (const int key = thread_index() + i * T::threads; all_have_key(i) || key < T::key_dim) visit(key, i);
  }
  template <class Visit> RK_DEVICE void for_each_column(const Visit& visit) const {
#pragma unroll
    for (int i = 0; i < columns; ++i)
      if (const int column = thread_index() + i * T::threads; column < T::value_tile && exists(column))
        visit(column, i);
  }

  // As many as there are registers for: one block of the backward pass has those of a multiprocessor for itself.
  static RK_CONSTEXPR int steps_together() {
    constexpr RecurrentSizes sizes = recurrent_sizes<T>();
    constexpr int most_numbers = sizes.splits_columns ? 64 : 32;
    int steps = layout.stage_slots < 8 ? layout.stage_slots : 8;
    while (steps > 1 && steps * (keys * sizes.stage_keys + columns * sizes.stage_columns) > most_numbers) steps /= 2;
    return steps;
  }
  // Starts to load the `index`-th step.
  RK_DEVICE void fetch(long long index) { load(index, next_keys, next_columns); }
  static RK_DEVICE int key_place(int slot, int row, int key) {
    return layout.stage + slot * layout.slot_bytes + (row * layout.rows + key) * 4;
  }
  static RK_DEVICE int column_place(int slot, int row, int column) {
    constexpr int rows = first_key_input<T>() + inputs_before<T>(T::input_count, value_axis);
    return layout.stage + slot * layout.slot_bytes + (rows * layout.rows + row * T::value_tile + column) * 4;
  }
  RK_DEVICE void put(int slot, const RawToken<T> (&of_keys)[keys], const RawToken<T> (&of_columns)[columns]) const {
    for_each_key([&](int key, int i) {
      const RawToken<T>& raw = of_keys[i];
      const auto put = [&](int row, float number) { shared_store<float>(key_place(slot, row, key), number); };
      if constexpr (T::reads_query && T::walks_queries) put(0, raw.query);
      if constexpr (T::reads_key && T::walks_keys) put(1, raw.key);
      if constexpr (has_pairs<T>()) {
        if constexpr (T::reads_query && T::walks_queries) put(2, raw.other_query);
        if constexpr (T::reads_key && T::walks_keys) put(3, raw.other_key);
      }
      for_each_input<value_axis>([&](int index, int row) { put(first_key_input<T>() + row, raw.inputs[index]); });
    });
    for_each_column([&](int column, int i) {
      const RawToken<T>& raw = of_columns[i];
      const auto put = [&](int row, float number) { shared_store<float>(column_place(slot, row, column), number); };
      if constexpr (T::reads_value && T::walks_keys) put(0, raw.value);
      if constexpr (T::fetches_slopes && T::walks_queries) put(1, raw.slope);
      for_each_input<key_axis>([&](int index, int row) { put(first_column_input + row, raw.inputs[index]); });
    });
  }
  // Calls visit(index, row) for the inputs that are fetched for a key or a value column, with their rows among these.
  template <AxisBit other_side, int index = 0, class Visit> static RK_DEVICE void for_each_input(const Visit& visit) {
    if constexpr (index < T::input_count) {
      if constexpr (!has_axis(T::input_axes[index], other_side) && fetches_input<T>(index))
        visit(index, inputs_before<T>(index, other_side));
      for_each_input<other_side, index + 1>(visit);
    }
  }

  template <int index = 0>
  RK_DEVICE void store_inputs(int first, int stride, const RawToken<T>& raw, AxisBit other_side) const {
    if constexpr (index < T::input_count) {
      if (!has_axis(T::input_axes[index], other_side)) shared_store<float>(first + index * stride, raw.inputs[index]);
      store_inputs<index + 1>(first, stride, raw, other_side);
    }
  }

  // Threads without a key store nothing.
  RK_DEVICE void write_key(long long index, int half, int key, int i) {
    const RawToken<T>& raw = now_keys[i];
    RecurrentAt<T> at = at_key(index, i);
    const bool has_key = reduction.has_key;
    const int place = half + key * 4;
    const auto store = [&](int row, float number) {
      if (has_key) shared_store<float>(place + row, number);
    };
    const auto store_factor = [&](int row, int low_row, const Unrounded& factor) {
      store(row, factor.high);
      if constexpr (T::compensated) store(low_row, factor.low);
    };
    if constexpr (T::has_scan && !T::scans_values) {
      scanned[i] = scan_next<T>(scanned_before[i], Gate::scan_term(at));
      set_scan(at, i);
    }
    [[maybe_unused]] float rescaled = 1.0f;  // of what is written
    if constexpr (T::has_running_max) {
      const Rescaling units = rescale(Gate::log_decay(at), Gate::write_log_scale(at), running_max);
      store_factor(layout.decay, layout.decay_low, units.decay);
      rescaled = units.write;
      if (key == 0) store_max(half + layout.running_max, units.max);
    } else if constexpr (T::rows_decay) {
      const Unrounded factor = decay_of_key(at);
      store_factor(layout.decay, layout.decay_low, factor);
      at.decay_value = factor.high;
    }
    if constexpr (T::has_phase) {
      const Turn turn = turn_by(Gate::phase(at));
      store_factor(layout.cosine, layout.cosine_low, turn.cosine);
      store_factor(layout.sine, layout.sine_low, turn.sine);
    }
    if constexpr (T::decays_by_element)
      if (has_key) store_inputs(place + layout.key_inputs, layout.rows * 4, raw, value_axis);
    if constexpr (T::reads_query && T::walks_queries) at.query_value = feature(at, raw.query, raw.other_query);
    float written = 0.0f, scaled = 0.0f;
    if constexpr (T::walks_keys) {
      written = Gate::key(at);
      scaled = written * Gate::write_scale(at);
      if constexpr (T::has_running_max) scaled *= rescaled;
    }
    float query = at.query_value;
    if constexpr (T::has_query && T::walks_queries) query = Gate::query(at);
    if constexpr (T::walks_queries) store(layout.query, query);
    if constexpr (T::walks_keys) store(layout.key, scaled);
    if constexpr (T::has_lagged_scale) {
      store(layout.lagged_key, last_key[i] * Gate::lagged_scale(at));
      key_before[i] = last_key[i];
      last_key[i] = written;
    }
    if constexpr (T::has_erase_scale) {
      float read = written, write = written;
      if constexpr (T::has_erase_read) read = Gate::erase_read(at);
      if constexpr (T::has_erase_write) write = Gate::erase_write(at);
      store(layout.erase_read, read);
      if constexpr (!T::erases_as_it_writes) store(layout.erase_write, write * Gate::erase_scale(at));
    }
    if constexpr (T::has_bonus) store(layout.bonus, query * Gate::bonus(at) * scaled);
  }
  RK_DEVICE void write_column(long long index, int half, int column, int i) {
    if constexpr (!T::walks_keys) return;
    const RawToken<T>& raw = now[i];
    const int place = half + column * 4;
    if (!exists(column)) {
      const float one = T::has_normaliser && column == T::value_columns ? 1.0f : 0.0f;
      shared_store<float>(place + layout.value, one);
      if constexpr (T::has_lagged_scale) shared_store<float>(place + layout.lagged_value, one);
      if constexpr (T::has_value_erase_scale) {
        shared_store<float>(place + layout.value_erase_read, 0.0f);
        shared_store<float>(place + layout.value_erase_write, 0.0f);
      }
      if constexpr (T::columns_decay) {
        shared_store<float>(place + layout.value_decay, 1.0f);
        if constexpr (T::compensated) shared_store<float>(place + layout.value_decay_low, 0.0f);
      }
      return;
    }
    RecurrentAt<T> at = at_value(index, raw, column);
    if constexpr (T::scans_values) {
      scanned[i] = scan_next<T>(scanned_before[i], Gate::scan_term(at));
      set_scan(at, i);
    }
    const float value = value_of(at);
    shared_store<float>(place + layout.value, value);
    if constexpr (T::has_lagged_scale) {
      shared_store<float>(place + layout.lagged_value, last_value[i]);
      last_value[i] = value;
    }
    if constexpr (T::has_value_erase_scale) {
      float read = value, write = value;
      if constexpr (T::has_value_erase_read) read = Gate::value_erase_read(at);
      if constexpr (T::has_value_erase_write) write = Gate::value_erase_write(at);
      shared_store<float>(place + layout.value_erase_read, read);
      shared_store<float>(place + layout.value_erase_write, write * Gate::value_erase_scale(at));
    }
    if constexpr (T::columns_decay) {
      float log_decay;
      if constexpr (T::decays_on_both_sides)
        log_decay = Gate::log_decay_of_value(at);
      else
        log_decay = Gate::log_decay(at);
      const Unrounded factor = decay_factor<T::compensated>(log_decay);
      shared_store<float>(place + layout.value_decay, factor.high);
      if constexpr (T::compensated) shared_store<float>(place + layout.value_decay_low, factor.low);
    }
    if constexpr (T::decays_by_element) store_inputs(place + layout.value_inputs, T::value_tile * 4, raw, key_axis);
  }
};

}  // namespace rankone
