// SPDX-License-Identifier: MIT
// The words in which a Policy is written, and what follows from one.
#pragma once

#include "device/arguments.cuh"
#include "device/types.cuh"
#include "kernels/layout.cuh"

namespace rankone {

// What the kernels of a Policy are launched with, and the tensors in it.
template <class Policy> using ArgumentsOf = PortArguments<Policy::Ports::count, Policy::Ports::maps>;
template <class Policy> RK_DEVICE const TensorArgument& port(const Arguments& arguments, int index) {
  return static_cast<const ArgumentsOf<Policy>&>(arguments).ports[index];
}
template <class Policy> RK_DEVICE const TensorMap& tensor_map(const Arguments& arguments, int index) {
  return static_cast<const ArgumentsOf<Policy>&>(arguments).maps[index];
}
RK_DEVICE unsigned is_vectorized(const Arguments& arguments, int index) {
  return static_cast<unsigned>(arguments.vectorized >> index) & 1u;
}

enum class ElementType : unsigned char { bf16, f16, f32 };
// What a query reads of its own token: all; nothing; or nothing but its product with a weight of its own.
enum class Read : unsigned char { inclusive, exclusive, bonus };
enum class Walk : unsigned char { ascending, descending };  // of a sequence's tokens
// Of a tensor of states: [N, HV, state] without gaps; or slots at any stride, named by an index for each sequence.
enum class StateLayout : unsigned char { dense, slots };
// What a formula or a tensor runs over, in sets. A tensor of gates has tokens, which its set does not say.
enum AxisBit : unsigned char {
  query_head_axis = 1,
  value_head_axis = 2,
  key_axis = 4,
  value_axis = 8,
  token_axis = 16
};
RK_CONSTEXPR bool has_axis(unsigned axes, AxisBit axis) { return (axes & axis) != 0; }

// What a policy says where it is true, and else leaves out: emitted text holds no condition that asks for it then.
struct Tacit {
  static constexpr bool has_normaliser = false;  // outputs read one
  static constexpr bool non_causal = false;      // queries read all keys
  // In the Hopper family: what `read` says, if it is not inclusive, and if it is a bonus.
  static constexpr bool reads_earlier = false, has_own_weights = false;
  static constexpr bool keeps_own_apart = false;  // products of queries with their own keys, in float32
};

// What a kernel does with the recurrence: all of it; only the states; one chunk from its saved state; only what a scan
// needs of keys and queries; or only queries, of the state that all keys have left.
enum class Role : unsigned char { scan, states, output, prepare, queries };

// The same by meaning: what kernels ask.
template <Role role> struct Duties {
  static constexpr bool reads_query = role != Role::states;
  static constexpr bool computes_scores = reads_query && role != Role::queries;
  static constexpr bool updates_state = role != Role::prepare && role != Role::queries;
  static constexpr bool writes_output = computes_scores && updates_state;  // of the tokens whose keys it takes up
  static constexpr bool keeps_states = role == Role::states;        // in the workspace, for others to start from
  static constexpr bool sums_log_decays = role == Role::states;     // over all that it walks
  static constexpr bool works_on_one_chunk = role == Role::output;  // from a state of the workspace
  static constexpr bool prepares_keys = role == Role::prepare;
};

// What follows from the axes that a decay runs over: what kernels ask.
template <class Policy> struct DecayTraits {
  static constexpr bool decays = Policy::decay_axes != 0;                            // else nothing is forgotten
  static constexpr bool decays_by_key = has_axis(Policy::decay_axes, key_axis);      // each column of K at its own pace
  static constexpr bool decays_by_value = has_axis(Policy::decay_axes, value_axis);  // each column of V
  static constexpr int decays_of_token = decays_by_key ? Policy::key_dim : 1;        // or of a sum over tokens
  static RK_DEVICE int decay_of_key(int key) { return decays_by_key ? key : 0; }     // which of them
  // Whether a token's weight differs from 1, decays of value columns aside; a write scale alone counts as a scalar decay
  // of 1.
  static constexpr bool weighted = (decays && (decays_by_key || !decays_by_value)) || Policy::has_write_scale;
};

template <ElementType type> struct TypeOf;
template <> struct TypeOf<ElementType::bf16> { using Type = bf16; };
template <> struct TypeOf<ElementType::f16> { using Type = f16; };
template <> struct TypeOf<ElementType::f32> { using Type = float; };

RK_CONSTEXPR int bytes_of(ElementType type) { return type == ElementType::f32 ? 4 : 2; }

// Columns of a token input in a stage; 0: it has one number a token, which whoever needs it fetches.
template <class Policy> RK_CONSTEXPR int staged_columns(int input) {
  if (has_axis(Policy::input_axes[input], key_axis)) return padded_keys(Policy::key_dim);
  return has_axis(Policy::input_axes[input], value_axis) ? Policy::value_tile : 0;
}

// Who works on a single chunk has nothing to fetch ahead.
template <class Policy, Role role> RK_CONSTEXPR int stages_of() {
  return Duties<role>::works_on_one_chunk ? 1 : Policy::stages;
}

template <class Policy, Role role> RK_CONSTEXPR LayoutSizes layout_sizes() {
  LayoutSizes sizes{};
  sizes.chunk = Policy::chunk;
  sizes.stages = stages_of<Policy, role>();
  sizes.warps = Policy::warps;
  sizes.key_padded = padded_keys(Policy::key_dim);
  sizes.value_tile = Policy::value_tile;
  sizes.storage_bytes = static_cast<int>(sizeof(typename Policy::Storage));
  sizes.operand_bytes = static_cast<int>(sizeof(typename Policy::Operand));
  sizes.key_decays = DecayTraits<Policy>::decays_by_key ? sizes.key_padded : 1;
  sizes.reads_query = Duties<role>::reads_query;
  sizes.split_products = Policy::split_products;
  sizes.value_decays = DecayTraits<Policy>::decays_by_value;
  sizes.keeps_values = Policy::keeps_values && Duties<role>::writes_output;
  for (int i = 0; i < Policy::input_count; ++i) {
    sizes.input_columns[i] = staged_columns<Policy>(i);
    sizes.input_bytes[i] = sizes.input_columns[i] > 0 ? bytes_of(Policy::input_types[i]) : 0;
  }
  return sizes;
}

template <bool condition, class Then, class Otherwise> struct Choose { using Type = Then; };
template <class Then, class Otherwise> struct Choose<false, Then, Otherwise> { using Type = Otherwise; };

// Everything a skeleton derives from its Policy, in one place.
template <class Policy, Role role_> struct Traits : Policy, Duties<role_>, DecayTraits<Policy> {
  using Storage = typename Policy::Storage;
  using Operand = typename Policy::Operand;
  static constexpr Layout layout = make_layout(layout_sizes<Policy, role_>());
  static constexpr int threads = Policy::warps * 32;
  static constexpr int stages = stages_of<Policy, role_>();
  static constexpr int key_padded = padded_keys(Policy::key_dim);
  static constexpr int value_tiles = (Policy::value_dim + Policy::value_tile - 1) / Policy::value_tile;
  // Each of the first `state_warps` warps owns `columns` columns of the state; the others help with gates and scores.
  static constexpr int columns = Policy::value_tile / Policy::warps < 16 ? 16 : Policy::value_tile / Policy::warps;
  static constexpr int state_warps = Policy::value_tile / columns;
  static constexpr int column_blocks = columns / 16;
  static constexpr int spans = Policy::chunk / sub_chunk;
  // Whether loops are unrolled less than would be fastest: many keys, and float32 products of several instructions
  // each, make straight-line code that is slow to compile.
  static constexpr bool is_long = sizeof(Operand) == 4 || key_padded > 128;
  // Element type of the q and k tiles that the recurrence reads.
  using Factor = typename Choose<DecayTraits<Policy>::decays_by_key, Operand, Storage>::Type;
  // Whether the q tile is rewritten before use, and whether any of q and k is.
  static constexpr bool rewrites_query = Duties<role_>::reads_query && (Policy::has_feature_map || Policy::has_query);
  static constexpr bool rewrites = rewrites_query || Policy::has_feature_map || Policy::has_key;
  static_assert(Policy::chunk % sub_chunk == 0, "a chunk is a multiple of 16 tokens");
  static_assert(columns % 16 == 0 && state_warps * columns == Policy::value_tile,
                "a warp owns a multiple of 16 columns");
};

}  // namespace rankone
