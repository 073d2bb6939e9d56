// SPDX-License-Identifier: MIT
// Of the recurrent family's backward pass: a token's slopes of what formulas give become those of what they read.
#pragma once

#include "recurrent/gradient_parts.cuh"
#include "recurrent/walk.cuh"

namespace rankone {

template <class T, class Gate> struct FormulaSlopes : GradientParts<T, Gate> {
  using Parts = GradientParts<T, Gate>;
  using Parts::arguments, Parts::work, Parts::layout, Parts::token_layout, Parts::keys, Parts::columns, Parts::tokens,
      Parts::sum_bytes, Parts::half;
  LeafSlopes<T> of_columns[columns];
  RunningMax max_behind;  // behind the token that is walked back over
  // What the token behind it, which writes them again, adds to the slopes of its key and value.
  static constexpr int lagged_keys = Tokens<T, Gate>::lagged_keys, lagged_columns = Tokens<T, Gate>::lagged_columns;
  float lagged_key[lagged_keys] = {}, lagged_value[lagged_columns] = {};

  RK_DEVICE FormulaSlopes(const Arguments& from, const Work& of) : Parts(from, of) {}

 protected:
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
            at.read_value = load_column_sum<T>(layout.read + place * sum_bytes, column) * T::read_scale(arguments);
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
      shared_store<float>(layout.read_slope + column * 4, into.read * T::read_scale(arguments));
      if constexpr (T::has_normaliser)
        shared_store<float>(layout.normaliser_slope + column * 4, into.normaliser * arguments.scale);
    }
  }
  RK_DEVICE RecurrentAt<T> at_column(long long index, int i) const {
    RecurrentAt<T> at = tokens.at(index, tokens.now[i], 0, work.value_column + thread_index() + i * T::threads);
    at.value_value = tokens.now[i].value;
    if constexpr (T::scans_values) tokens.set_scan(at, i);
    return at;
  }

  // All of the tile's columns read it.
  static RK_DEVICE float slope_of_normaliser() {
    float sum = 0.0f;
    for (int column = 0; column < T::value_columns; column += thread_columns)
      sum += dot(load_columns(layout.normaliser_slope + column * 4), Columns{{1.0f, 1.0f, 1.0f, 1.0f}});
    return sum;
  }

  // From the slopes of a token's columns to those of what their formulas read.
  RK_DEVICE void finish_columns(long long index) {
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      const int column = thread_index() + i * T::threads;
      if (column >= T::value_tile || !tokens.exists(column)) break;
      const RecurrentAt<T> at = at_column(index, i);
      LeafSlopes<T>& into = of_columns[i];
      if constexpr (T::walks_keys) {
        float value = load_column_sum<T>(layout.value_slope, column);
        if constexpr (T::has_value_erase_scale) value += pass_value_erase(at, column, into);
        if constexpr (T::has_lagged_scale) {
          value += lagged_value[i];
          lagged_value[i] = load_column_sum<T>(layout.lagged_value_slope, column);
        }
        if constexpr (T::has_value)
          Gate::value_backward(at, value, into);
        else
          into.add_value(value);
      }
      if constexpr (T::columns_decay && T::differentiates_decay)
        if (decays_before<T>(index)) pass_column_decay(at, column, into);
      if constexpr (T::scans_values) pass_scan(at, i, into);
      this->store_column(index, i, column, into);
    }
  }
  // Returns what the written value gains, as far as it stands where values erase.
  static RK_DEVICE float pass_value_erase(const RecurrentAt<T>& at, int column, LeafSlopes<T>& into) {
    const float erased = load_column_sum<T>(layout.value_erase_write_slope, column),
                read = load_column_sum<T>(layout.value_erase_read_slope, column), erase = Gate::value_erase_scale(at);
    float write = at.value_value, of_value = 0.0f;
    if constexpr (T::has_value_erase_write)
      write = Gate::value_erase_write(at);
    else if constexpr (T::has_value)
      write = Gate::value(at);
    Gate::value_erase_scale_backward(at, erased * write, into);
    if constexpr (T::has_value_erase_write)
      Gate::value_erase_write_backward(at, erased * erase, into);
    else
      of_value = erased * erase;
    if constexpr (T::has_value_erase_read)
      Gate::value_erase_read_backward(at, read, into);
    else
      of_value += read;
    return of_value;
  }
  static RK_DEVICE void pass_column_decay(const RecurrentAt<T>& at, int column, LeafSlopes<T>& into) {
    const float decay = load_column_sum<T>(layout.value_decay_slope, column);
    if constexpr (T::decays_on_both_sides)
      Gate::log_decay_of_value_backward(at, decay, into);
    else
      Gate::log_decay_backward(at, decay, into);
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
      if constexpr (T::reads_query && T::walks_queries) at.query_value = tokens.feature(at, raw.query, raw.other_query);
      if constexpr (T::reads_key && T::walks_keys) at.key_value = tokens.feature(at, raw.key, raw.other_key);
      if constexpr (T::rows_decay) at.decay_value = row_number(half + token_layout.decay, key);
      if constexpr (T::has_scan && !T::scans_values) tokens.set_scan(at, i);
      LeafSlopes<T> into;
      float of_lagged = 0.0f;
      if constexpr (T::has_lagged_scale) of_lagged = pass_lagged_scale(at, key, i, into);
      pass_formulas(at, index, key, own, of_lagged, into);
      if constexpr (T::has_scan && !T::scans_values) pass_scan(at, i, into);
      if constexpr (T::piece_count > 0) {
        ElementSlope of_query, of_key;
        if constexpr (T::reads_query && T::walks_queries)
          of_query = pass_feature(at, raw.query, raw.other_query, into.query);
        if constexpr (T::reads_key && T::walks_keys) of_key = pass_feature(at, raw.key, raw.other_key, into.key);
        if (has_key) keep_element_slopes(key, of_query, of_key);
      } else {
        if constexpr (T::reads_query && T::walks_queries) into.query = feature_slope(at, raw.query, into.query);
        if constexpr (T::reads_key && T::walks_keys) into.key = feature_slope(at, raw.key, into.key);
      }
      if (has_key) this->store_key(index, i, key, into);
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
      if constexpr (T::reads_query && T::walks_queries)
        if (is_read<T>(index))
          this->store_slope(index, query, element, sum_of_element(0, element), T::Ports::dq, false);
      if constexpr (T::reads_key && T::walks_keys)
        this->store_slope(index, of_key, element, sum_of_element(1, element), T::Ports::dk, true);
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
  // From the slope of what has been summed up behind the token to those of its term, and of what has been before it.
  RK_DEVICE void pass_scan(const RecurrentAt<T>& at, int i, LeafSlopes<T>& into) {
    const float sum = at.scanned_value, slope = this->scan_slopes[i] + into.scanned;
    float term = 0.0f;
    if constexpr (T::scans_exponentials) term = Gate::scan_term(at);
    Gate::scan_term_backward(at, slope * scan_share<T>(term, sum), into);
    this->scan_slopes[i] = multiply_add(slope, scan_share<T>(at.scanned_before_value, sum), into.scanned_before);
  }
  RK_DEVICE void pass_formulas(const RecurrentAt<T>& at, long long index, int key, float own, float of_lagged,
                               LeafSlopes<T>& into) const {
    if constexpr (!T::walks_keys)
      pass_query(at, load_row_sum<T>(layout.query_slope, key), into);
    else
      pass_written(at, index, key, own, of_lagged, into);
  }
  // Returns what the token behind has added to the slope of the written key.
  RK_DEVICE float pass_lagged_scale(const RecurrentAt<T>& at, int key, int i, LeafSlopes<T>& into) {
    const float slope = load_row_sum<T>(layout.lagged_key_slope, key), of_written = lagged_key[i];
    Gate::lagged_scale_backward(at, slope * tokens.key_before[i], into);
    lagged_key[i] = slope * Gate::lagged_scale(at);
    return of_written;
  }
  RK_DEVICE void pass_query(const RecurrentAt<T>& at, float slope, LeafSlopes<T>& into) const {
    if constexpr (T::has_query)
      Gate::query_backward(at, slope, into);
    else
      into.add_query(slope);
  }
  RK_DEVICE void pass_written(const RecurrentAt<T>& at, long long index, int key, float own, float of_lagged,
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
    if constexpr (T::has_lagged_scale) of_written += of_lagged;
    if constexpr (T::has_write_scale) Gate::write_scale_backward(at, of_scaled * written * rescaled, into);
    if constexpr (T::has_running_max) Gate::write_log_scale_backward(at, of_written * written, into);
    if constexpr (T::has_erase_scale) {
      const float read = load_row_sum<T>(layout.erase_read_slope, key);
      if constexpr (!T::erases_as_it_writes) pass_erase_write(at, key, written, of_written, into);
      if constexpr (T::has_erase_read)
        Gate::erase_read_backward(at, read, into);
      else
        of_written += read;
    }
    if constexpr (T::walks_queries) pass_query(at, of_query, into);
    Gate::key_backward(at, of_written, into);
    if constexpr (T::rows_decay && T::differentiates_decay)
      if (decays_before<T>(index)) pass_key_decay(at, key, into);
    if constexpr (T::differentiates_phase)
      if (decays_before<T>(index)) Gate::phase_backward(at, load_row_sum<T>(layout.phase_slope, key), into);
  }
  RK_DEVICE void pass_erase_write(const RecurrentAt<T>& at, int key, float written, float& of_written,
                                  LeafSlopes<T>& into) const {
    const float erased = load_row_sum<T>(layout.erase_write_slope, key), erase = Gate::erase_scale(at);
    float write = written;
    if constexpr (T::has_erase_write) write = Gate::erase_write(at);
    Gate::erase_scale_backward(at, erased * write, into);
    if constexpr (T::has_erase_write)
      Gate::erase_write_backward(at, erased * erase, into);
    else
      of_written = multiply_add(erased, erase, of_written);
  }
  RK_DEVICE void pass_key_decay(const RecurrentAt<T>& at, int key, LeafSlopes<T>& into) const {
    const float decay = multiply_add(at.decay_value, into.decay, load_row_sum<T>(layout.decay_slope, key));
    if constexpr (T::decays_on_both_sides)
      Gate::log_decay_of_key_backward(at, decay, into);
    else
      Gate::log_decay_backward(at, decay, into);
  }
};

}  // namespace rankone
