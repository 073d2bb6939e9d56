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

// Of a chain, what then() takes: it has the name, the order and the scale of the first pass.
constexpr Variant second_pass() { return {}; }

// What a decay or a phase runs over, by a name of decay_domains.
consteval Axes decay_domain(std::string_view name) {
  for (const Domain& each : decay_domains)
    if (each.name == name) return each.axes;
  return Axes::automatic;
}
constexpr Rate none() { return {}; }
constexpr Rate constant(const Expression& formula) { return {decay_domain("constant"), formula}; }
constexpr Rate per_head(const Expression& formula) { return {decay_domain("per_head"), formula}; }
constexpr Rate per_key(const Expression& formula) { return {decay_domain("per_key"), formula}; }
constexpr Rate per_value(const Expression& formula) { return {decay_domain("per_value"), formula}; }
constexpr Rate full(const Expression& formula) { return {decay_domain("full"), formula}; }
// The product of a decay for each key and one for each value column, whose tensors have the axes of their side.
constexpr Rate outer(const Expression& of_keys, const Expression& of_values) {
  return full(settle(of_keys, slot_domains::key) + settle(of_values, slot_domains::value));
}

constexpr Variant Variant::erase_undecayed() const {
  Variant result = *this;
  result.erases_undecayed_ = true;
  return result;
}
constexpr Variant Variant::exclusive() const {
  Variant result = *this;
  result.exclusive_ = true;
  return result;
}
constexpr Variant Variant::cumulative_log_sum_exp(const Expression& term) const {
  Variant result = with(Formula::scan, term);
  result.scans_exponentials_ = true;
  return result;
}
constexpr Variant Variant::normalised(double epsilon) const {
  const Expression quotient = read() / (normaliser() + epsilon);
  return output(has(Formula::output) ? replaced(formula(Formula::output), Operation::read, quotient) : quotient);
}
constexpr Variant Variant::reversed() const {
  Variant result = *this;
  result.reversed_ = true;
  return result;
}
constexpr Variant Variant::non_causal() const {
  Variant result = *this;
  result.non_causal_ = true;
  return result;
}
constexpr Variant Variant::bidirectional() const {
  Variant result = *this;
  result.bidirectional_ = true;
  return result;
}
constexpr Variant Variant::permuted() const {
  Variant result = *this;
  result.permuted_ = true;
  return result;
}
constexpr Variant Variant::steps(int of_a_token) const {
  Variant result = *this;
  result.steps_ = of_a_token;
  return result;
}
constexpr Variant Variant::then(const Variant& pass) const {
  if (chains_ || pass.chains_) refuse<"a chain has two passes", "one then()">(Described{"a third one"});
  if (!pass.is_second_pass())
    refuse<"a chain's second pass has formulas, exclusive() and erase_undecayed(): all else is the first one's",
           "second_pass() and these">(Described{"more"});
  Variant result = *this;
  result.chains_ = true;
  for (const Switch& each : switches)
    if (each.next != nullptr) result.*each.next = pass.*each.flag;
  for (std::size_t i = 0; i < formula_slots.size(); ++i) {
    if (pass.results[i] > 0)
      result.next_results[i] = static_cast<unsigned short>(result.nodes.add(pass.nodes, pass.results[i] - 1) + 1);
    result.next_domains[i] = pass.domains[i];
  }
  return result;
}
constexpr Variant Variant::scale(double factor) const {
  if (factor == 0) refuse<"a scale is not 0; without one it is K^-0.5", "another number">(factor);
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

// One call below checked(), so that a compiler's message is short; Clang prints the sentence among the arguments.
constexpr void wrong_declaration(const char* sentence, const Verdict& verdict) {
  if (sentence != nullptr) verdict.refuse(verdict.given);
}
consteval Variant Variant::checked() const {
  const Verdict verdict = judge(*this);
  wrong_declaration(verdict.sentence, verdict);
  return *this;
}

}  // namespace rankone
