// SPDX-License-Identifier: MIT
// Random numbers for tensors, the same on every platform, and from where a variant's inputs may be drawn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/tensor.hpp>

#include "proof/dims.hpp"

namespace rankone {

enum class Distribution : unsigned char {
  normal,       // mean 0, variance 1
  log_sigmoid,  // of a normal one: the logarithm of a gate
  uniform       // 0 to 1
};

// What a problem's inputs are like. All of them keep log-decays at most 0 and formulas finite.
enum class Inputs : unsigned char {
  random,
  equal,  // every token the same, under decays near exp(-1e-4), or exp(-0.5) where keys read them: roundings err alike
  strong  // random, under decays near exp(-20)
};
std::string_view name_of(Inputs inputs);

// Element `index` of the stream that `seed` and `stream` name.
double draw(Distribution distribution, std::uint64_t seed, std::uint64_t stream, std::uint64_t index);

struct Draws {
  std::vector<std::pair<std::string, Distribution>> named{};  // token inputs and parameters; normal where absent
  Distribution element = Distribution::normal;                // of q and k
  std::vector<std::pair<std::string, double>> fixed{};        // those that have one value instead
  std::optional<double> everything{};                         // what else there is, q and k too

  Distribution of(std::string_view name) const;
  std::optional<double> value_of(std::string_view name) const;  // none where it is drawn
  // Element `index` of a tensor, and of q and k.
  double draw(std::string_view name, std::uint64_t seed, std::uint64_t stream, std::uint64_t index) const;
  double draw_element(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) const;
};

// Throws Error where scalars, heads and positions up to 2T alone spoil a formula, whatever tensors it reads: a part of it
// that no tensor enters is not a number, or it reads none and is a log-decay above 0, or not finite.
void require_sound_parts(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars);

// The first choice under which all formulas of the variant are finite and its log-decays at most 0. Throws Error where no
// choice does that.
Draws choose_draws(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars,
                   Inputs inputs = Inputs::random);
// The same, and none where it throws for other than random inputs.
std::optional<Draws> find_draws(const Variant& variant, const Dims& dims, const std::vector<NamedScalar>& scalars,
                                Inputs inputs);

}  // namespace rankone
