// SPDX-License-Identifier: MIT
// Feature maps in float64.
#include "proof/oracle/features.hpp"

#include <algorithm>

namespace rankone::recurrence {
namespace {

// f(slot, formula) for each piece; a piece of pairs runs over keys twice.
template <class Function> void for_each_piece(const Variant& variant, const Function& f) {
  const Expression map = variant.formula(Formula::feature_map);
  for (int i = 0; i < count_pieces(map); ++i) {
    const Piece piece = piece_of(map, i);
    Slot slot = slot_of(Formula::feature_map);
    slot.domain = Axes::token | Axes::head;
    if (piece.width != Width::one) slot.domain = slot.domain | Axes::key;
    if (piece.width == Width::pairs) slot.domain = slot.domain | Axes::value;
    f(slot, piece.formula);
  }
}

}  // namespace

Features::Features(const Variant& variant, std::int64_t key_dim, const GivenArguments& arguments) {
  for_each_piece(variant, [&](const Slot& slot, const Expression& formula) {
    pieces_.emplace_back(slot, formula, key_dim, key_dim, arguments);
  });
}

void Features::operator()(const Place& place, double* features) {
  for (FormulaRows& piece : pieces_) features = std::copy_n(piece(place), piece.width(), features);
}

FeatureSlopes::FeatureSlopes(const Variant& variant, std::int64_t key_dim, const GivenArguments& arguments) {
  for_each_piece(variant, [&](const Slot& slot, const Expression& formula) {
    pieces_.emplace_back(slot, formula, key_dim, key_dim, arguments, std::span<const NamedTensor>());
  });
}

void FeatureSlopes::add(const Place& place, const double* slopes, double* elements) {
  for (FormulaSlopes& piece : pieces_) {
    piece.add(place, slopes, {.element = elements});
    slopes += piece.width();
  }
}

}  // namespace rankone::recurrence
