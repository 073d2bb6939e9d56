// SPDX-License-Identifier: MIT
// A linear-attention variant: decay, write, feature map and what may be pinned of its schedule.
#pragma once

#include <rankone/dsl/expression.hpp>

namespace rankone {

// S_t = decay_t * S_{t-1} + key_t^T (write_t v_t),   o_t = scale * phi(q_t) S_t
enum class DecayKind : unsigned char { none, constant, per_head, per_key };

// Materialization level: state on chip, one serial pass; or chunk states in memory and chunks in parallel.
enum class Level : unsigned char { automatic, serial, chunk, segment };

struct Decay {
  DecayKind kind = DecayKind::none;
  Expression log_decay{};  // natural logarithm, <= 0; -inf is a legal reset
  friend constexpr bool operator==(const Decay&, const Decay&) = default;
};

// Which formula of a variant.
enum class Formula : unsigned char { decay, key, write_scale, feature_map };

struct Variant {
  Name name{};
  Decay decay_{};
  Expression key_{};          // of key() and decay(); empty: the tensor k, after the feature map
  Expression write_scale_{};  // per head and token, multiplies the written key; empty: 1
  Expression feature_map_{};  // of element(), applied to q and k; empty: identity
  double scale_ = 0;          // of the read; 0: K^-0.5
  int chunk_ = 0;             // pinned chunk size, 16 to 128; 0: left to the schedule
  Level level_ = Level::automatic;

  // Empty where there is none.
  constexpr const Expression& formula(Formula which) const {
    return which == Formula::decay         ? decay_.log_decay
           : which == Formula::key         ? key_
           : which == Formula::write_scale ? write_scale_
                                           : feature_map_;
  }
  constexpr bool has(Formula which) const { return !formula(which).empty(); }
  // What the decay runs over: none of them where there is no decay.
  constexpr Axes decay_axes() const {
    constexpr unsigned char token = Axes::token, head = Axes::value_head, key = Axes::key;
    switch (decay_.kind) {
      case DecayKind::none: break;
      case DecayKind::constant: return {head};
      case DecayKind::per_head: return {token | head};
      case DecayKind::per_key: return {token | head | key};
    }
    return {0};
  }

  // How a declaration says the same; each returns a changed copy. Defined in declare.hpp.
  constexpr Variant decay(const Decay& decay) const;
  constexpr Variant key(const Expression& expression) const;
  constexpr Variant write_scale(const Expression& expression) const;
  constexpr Variant feature_map(const Expression& expression) const;
  constexpr Variant feature_map(Expression (*function)(const Expression&)) const;
  constexpr Variant scale(double factor) const;
  constexpr Variant chunk(int tokens) const;
  constexpr Variant level(Level level) const;
  // Ends a declaration: a wrong one does not compile, and the compiler prints why.
  consteval Variant checked() const;

  friend constexpr bool operator==(const Variant&, const Variant&) = default;
};

}  // namespace rankone
