// SPDX-License-Identifier: MIT
// Feature maps with a dimension of their own: how wide they are, and how they are written.
#include <gtest/gtest.h>

#include <rankone/dsl.hpp>

using namespace rankone;

namespace {

constexpr Variant plain = variant("plain").checked();
constexpr Variant mapped = plain.feature_map(silu).checked();
constexpr Variant waves =
    plain.feature_map(concatenate(element() * cos(position()), element() * sin(position()))).checked();
constexpr Variant squares = plain.feature_map(element() * other()).checked();
constexpr Variant series = plain.feature_map(taylor).checked();
static_assert(!has_features(plain) && !has_features(mapped) && feature_dim(mapped, 7) == 7);
static_assert(has_features(waves) && feature_dim(waves, 7) == 14);
static_assert(has_features(squares) && feature_dim(squares, 7) == 49);
static_assert(has_features(series) && feature_dim(series, 7) == 1 + 7 + 49);
static_assert(usual_key_dim(variants::hgrn, 128) == 1 && usual_key_dim(variants::hgrn2, 128) == 128);
static_assert(usual_key_dim(variant("keys").key(input("x")).query(1), 128) == 128);
static_assert(usual_key_dim(series, 128) == 16 && usual_key_dim(series, 21) == 21 && usual_key_dim(waves, 128) == 128);

constexpr Expression three = concatenate(1, element(), element() * other());
static_assert(count_pieces(three) == 3 && three == concatenate(concatenate(1, element()), element() * other()));
static_assert(piece_of(three, 0).width == Width::one && piece_of(three, 0).formula == Expression(1));
static_assert(piece_of(three, 1).width == Width::elements && piece_of(three, 1).formula == element());
static_assert(piece_of(three, 2).width == Width::pairs && piece_of(three, 2).formula == element() * other());
static_assert(count_pieces(Expression()) == 0 && count_pieces(element()) == 1);

// In chunks there is no form for them, nor for a map that tells tokens apart.
static_assert(part_without_chunks(waves) == "a feature dimension of its own");
static_assert(part_without_chunks(plain.feature_map(element() * position())) ==
              "a feature map that reads more than its element");
static_assert(part_without_chunks(plain.feature_map(element() / keys())).empty());
static_assert(reads_position(waves) && !reads_position(series));

// The score of a Taylor map is 1 + s + s^2/2 of s = q.k K^-0.5.
static_assert([] {
  constexpr double q[] = {0.5, -2, 1.5, 0.25}, k[] = {1, 0.5, -0.75, 2};
  double score = 0, product = 0;
  const Expression map = series.formula(Formula::feature_map);
  const auto feature = [&](int piece, double x, double y) {
    return evaluate(piece_of(map, piece).formula, {.element = x, .other = y, .keys = 4});
  };
  for (int i = 0; i < 4; ++i) {
    product += q[i] * k[i];
    score += feature(1, q[i], 0) * feature(1, k[i], 0);
    for (int j = 0; j < 4; ++j) score += feature(2, q[i], q[j]) * feature(2, k[i], k[j]);
  }
  score += feature(0, 0, 0) * feature(0, 0, 0);
  const double s = product / 2, difference = score - (1 + s + s * s / 2);
  return difference < 1e-12 && difference > -1e-12;
}());

TEST(Features, AreWrittenSideBySide) {
  EXPECT_EQ(to_string(three), "concatenate(1, element, element * other)");
  EXPECT_EQ(to_string(element() / sqrt(keys())), "element / sqrt(K)");
  EXPECT_EQ(describe(squares), "S_t = S_{t-1} + (k_t * k_t')^T v_t; o_t = K^-0.5 (q_t * q_t') S_t");
  EXPECT_EQ(describe(plain.feature_map(concatenate(element(), 1))),
            "S_t = S_{t-1} + concatenate(k_t, 1)^T v_t; o_t = K^-0.5 concatenate(q_t, 1) S_t");
}

}  // namespace
