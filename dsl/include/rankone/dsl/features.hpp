// SPDX-License-Identifier: MIT
// What a feature map makes of the K elements of a query or a key: pieces side by side, F features in all.
#pragma once

#include <cstdint>

#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

inline constexpr int max_pieces = 4, max_features = 512;

// A piece is as wide as what it reads: one number; one for each element; one for each pair of them, the first one's the
// slower.
enum class Width : unsigned char { one, elements, pairs };

struct Piece {
  Expression formula{};
  Width width = Width::one;
};
constexpr Width width_of(Nodes formula) {
  return reads(formula, Operation::other)     ? Width::pairs
         : reads(formula, Operation::element) ? Width::elements
                                              : Width::one;
}
constexpr std::int64_t features_of(Width width, std::int64_t key_dim) {
  return width == Width::one ? 1 : width == Width::elements ? key_dim : key_dim * key_dim;
}

// How many pieces a formula has: concatenations stand at its root, in the left operand of each other.
constexpr int count_pieces(Nodes map) {
  int count = map.size > 0 ? 1 : 0;
  for (int at = map.size - 1; at >= 0 && map[at].operation == Operation::concatenate; at = map[at].left) ++count;
  return count;
}
// The `index`-th of them.
constexpr Piece piece_of(const Expression& map, int index) {
  int at = map.size - 1;
  for (int later = count_pieces(map) - 1 - index; later > 0; --later) at = map[at].left;
  const Expression formula(map, index > 0 ? map[at].right : at);
  return {formula, width_of(formula)};
}

// Whether its feature map gives a variant a feature dimension of its own; else F is K.
constexpr bool has_features(const Variant& variant) {
  if (!variant.has(Formula::feature_map)) return false;
  const Expression map = variant.formula(Formula::feature_map);
  return map.root().operation == Operation::concatenate || width_of(map) != Width::elements;
}
// F.
constexpr std::int64_t feature_dim(const Variant& variant, std::int64_t key_dim) {
  if (!has_features(variant)) return key_dim;
  const Expression map = variant.formula(Formula::feature_map);
  std::int64_t sum = 0;
  for (int i = 0; i < count_pieces(map); ++i) sum += features_of(piece_of(map, i).width, key_dim);
  return sum;
}
// The K of examples where nobody has asked for one: 16 where this one has too many features, 1 where all keys would be one.
constexpr std::int64_t usual_key_dim(const Variant& variant, std::int64_t key_dim) {
  if (!has_tensor_of_keys(variant)) return 1;
  return feature_dim(variant, key_dim) <= max_features ? key_dim : 16;
}

}  // namespace rankone
