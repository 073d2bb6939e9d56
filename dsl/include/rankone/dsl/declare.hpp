// SPDX-License-Identifier: MIT
// Declaring a variant: variant("name").decay(per_key(...)).checked().
#pragma once

#include <rankone/dsl/formula.hpp>
#include <rankone/dsl/validate.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

constexpr Variant variant(Name name) {
  Variant result;
  result.name = name;
  return result;
}

constexpr Decay none() { return {}; }
constexpr Decay constant(const Expression& log_decay) { return {DecayKind::constant, log_decay}; }
constexpr Decay per_head(const Expression& log_decay) { return {DecayKind::per_head, log_decay}; }
constexpr Decay per_key(const Expression& log_decay) { return {DecayKind::per_key, log_decay}; }

constexpr Variant Variant::decay(const Decay& decay) const {
  Variant result = *this;
  result.decay_ = decay;
  return result;
}
constexpr Variant Variant::key(const Expression& expression) const {
  Variant result = *this;
  result.key_ = expression;
  return result;
}
constexpr Variant Variant::write_scale(const Expression& expression) const {
  Variant result = *this;
  result.write_scale_ = expression;
  return result;
}
constexpr Variant Variant::feature_map(const Expression& expression) const {
  Variant result = *this;
  result.feature_map_ = expression;
  return result;
}
constexpr Variant Variant::feature_map(Expression (*function)(const Expression&)) const {
  return feature_map(function(element()));
}
constexpr Variant Variant::scale(double factor) const {
  if (factor == 0) refuse("a scale is not 0; without one it is K^-0.5", factor, "another number");
  Variant result = *this;
  result.scale_ = factor;
  return result;
}
constexpr Variant Variant::chunk(int tokens) const {
  Variant result = *this;
  result.chunk_ = tokens;
  return result;
}
constexpr Variant Variant::level(Level level) const {
  Variant result = *this;
  result.level_ = level;
  return result;
}

consteval Variant Variant::checked() const {
  validate(*this);
  return *this;
}

}  // namespace rankone
