// SPDX-License-Identifier: MIT
// Where blocks of the recurrent family's backward pass leave gradients that others have a part in: those of tensors over
// keys and heads, of which each tile of value columns knows its own part, and those of parameters.
#pragma once

#include "kernels/layout.cuh"

namespace rankone {

constexpr int reduce_threads = 256, reduce_tokens = 4;  // of a block that sums them up
constexpr int max_slope_inputs = 6, max_slope_parameters = 8;

// Which axes of columns a tensor has.
struct Columnwise {
  bool keys, values;
};

struct SlopeSizes {
  int element_dim, key_dim, value_dim, value_tiles;  // of q and k, of a state
  bool reads_query, reads_key;                       // else q, or k, has no gradient
  bool is_normalised;  // the initial state has a normaliser's sum of keys, to which each tile adds
  bool has_scan;       // likewise a row of keys that a scan begins with
  bool scans_values;   // or of the tiles' own columns
  bool writes_again;   // the initial state has a key, to which each tile adds
  int inputs, parameters;
  Columnwise of_inputs[max_slope_inputs], of_parameters[max_slope_parameters];
  // What the other pass of a chain has of a token, and of a sequence, stands before this one's floats or behind them.
  int token_floats_before, token_floats_behind, sequence_floats_before, sequence_floats_behind;
};

// A tensor's part: floats from the start of what a token and value head have, or a sequence and value head.
struct SlopePart {
  int place;
  int tile_stride;  // from a value tile's floats to the next one's; 0: the tiles have columns of their own
  int width;        // elements of the tensor
};

struct SlopeLayout {
  SlopePart query, key, inputs[max_slope_inputs];
  int token_floats;
  SlopePart parameters[max_slope_parameters], sum, scan, last_key;
  int sequence_floats;
};

RK_CONSTEXPR SlopePart slope_part(const SlopeSizes& sizes, Columnwise axes, int& offset, int keys) {
  const int width = (axes.keys ? keys : 1) * (axes.values ? sizes.value_dim : 1);
  const SlopePart part{offset, axes.values ? 0 : width, width};
  offset += axes.values ? width : width * sizes.value_tiles;
  return part;
}

RK_CONSTEXPR SlopeLayout make_slope_layout(const SlopeSizes& sizes) {
  SlopeLayout layout{};
  layout.token_floats = sizes.token_floats_before;
  layout.sequence_floats = sizes.sequence_floats_before;
  if (sizes.reads_query) layout.query = slope_part(sizes, {true, false}, layout.token_floats, sizes.element_dim);
  if (sizes.reads_key) layout.key = slope_part(sizes, {true, false}, layout.token_floats, sizes.element_dim);
  for (int i = 0; i < sizes.inputs; ++i)
    layout.inputs[i] = slope_part(sizes, sizes.of_inputs[i], layout.token_floats, sizes.key_dim);
  for (int i = 0; i < sizes.parameters; ++i)
    layout.parameters[i] = slope_part(sizes, sizes.of_parameters[i], layout.sequence_floats, sizes.key_dim);
  if (sizes.is_normalised) layout.sum = slope_part(sizes, {true, false}, layout.sequence_floats, sizes.key_dim);
  if (sizes.has_scan)
    layout.scan = slope_part(sizes, {!sizes.scans_values, sizes.scans_values}, layout.sequence_floats, sizes.key_dim);
  if (sizes.writes_again) layout.last_key = slope_part(sizes, {true, false}, layout.sequence_floats, sizes.key_dim);
  layout.token_floats = (layout.token_floats + 3) / 4 * 4 + sizes.token_floats_behind;
  layout.sequence_floats = (layout.sequence_floats + 3) / 4 * 4 + sizes.sequence_floats_behind;
  return layout;
}

}  // namespace rankone
