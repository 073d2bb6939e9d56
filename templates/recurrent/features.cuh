// SPDX-License-Identifier: MIT
// Where a feature map has a dimension of its own: the pieces that stand side by side in it.
#pragma once

#include "device/common.cuh"

namespace rankone {

// A piece has one number, one for each element of q or k, or one for each pair of them, the first one's the slower.
enum class PieceWidth : unsigned char { one, elements, pairs };

RK_CONSTEXPR int features_of(PieceWidth width, int elements) {
  return width == PieceWidth::one ? 1 : width == PieceWidth::elements ? elements : elements * elements;
}

template <class Policy> RK_CONSTEXPR bool has_pairs() {
  if constexpr (Policy::piece_count > 0)
    for (int i = 0; i < Policy::piece_count; ++i)
      if (Policy::pieces[i] == PieceWidth::pairs) return true;
  return false;
}
// Rows of slopes of elements: of query and key, and of both of a pair.
template <class Policy> RK_CONSTEXPR int element_slopes() {
  return Policy::piece_count == 0 ? 0 : has_pairs<Policy>() ? 4 : 2;
}

// The piece that a feature stands in, and the elements that it is made of, as far as it is made of any.
struct FeaturePlace {
  int piece, element, other;
};
template <class T> RK_DEVICE FeaturePlace feature_place(int feature) {
  if constexpr (T::piece_count == 0) {
    return {0, feature, 0};
  } else {
    FeaturePlace found{0, 0, 0};
    int first = 0;
#pragma unroll
    for (int i = 0; i < T::piece_count; ++i) {
      const int width = features_of(T::pieces[i], T::element_dim), index = feature - first;
      const bool is_pair = T::pieces[i] == PieceWidth::pairs;
      if (index >= 0 && index < width)
        found = {i, is_pair ? index / T::element_dim : index, is_pair ? index % T::element_dim : 0};
      first += width;
    }
    return found;
  }
}

}  // namespace rankone
