// SPDX-License-Identifier: MIT
// A chain's passes, each as a variant of its own.
#pragma once

#include <rankone/dsl/formula.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

// The token input that stands for passed() where a second pass is taken for itself; no declaration has one of its name.
inline constexpr Name passed_input{"passed"};

namespace detail {
constexpr void add_formula(Variant& to, const Variant& chain, std::size_t i, unsigned short result, Axes domain) {
  if (result == 0) return;
  to.results[i] = static_cast<unsigned short>(to.nodes.add(chain.nodes, result - 1) + 1);
  to.domains[i] = domain.bits;
}
}  // namespace detail

// As it is declared: slots are the value columns of the first pass and the keys of the second, and the scan is of both.
constexpr Variant stage(const Variant& chain, Stage which) {
  const bool is_first = which == Stage::first;
  const Axes slots = is_first ? Axes::value : Axes::key;
  Variant pass;
  pass.name = chain.name;
  pass.stage_ = which;
  for (const Switch& each : switches)
    pass.*each.flag = chain.*(is_first || each.next == nullptr ? each.flag : each.next);
  pass.scale_ = is_first ? chain.scale_ : 1;  // the second reads what there is: a query's formula may scale it
  constexpr auto scan = static_cast<std::size_t>(Formula::scan);
  for (std::size_t i = 0; i < formula_slots.size(); ++i)
    if (i == scan)
      detail::add_formula(pass, chain, i, chain.results[i], slot_domains::head | slots);
    else if (is_first)
      detail::add_formula(pass, chain, i, chain.results[i], Axes::of_bits(chain.domains[i]));
    else
      detail::add_formula(pass, chain, i, chain.next_results[i], Axes::of_bits(chain.next_domains[i]));
  for (int i = 0; i < pass.nodes.size; ++i) pass.nodes.nodes[i].axes = axes_in(which, pass.nodes.nodes[i].axes);
  return pass;
}

// What then() was given.
constexpr Variant second_pass_of(const Variant& chain) {
  Variant pass;
  for (const Switch& each : switches)
    if (each.next != nullptr) pass.*each.flag = chain.*each.next;
  for (std::size_t i = 0; i < formula_slots.size(); ++i)
    detail::add_formula(pass, chain, i, chain.next_results[i], Axes::of_bits(chain.next_domains[i]));
  return pass;
}

// As whoever computes it has it: the second pass reads what the first has left it as an input.
constexpr Variant stage_alone(const Variant& chain, Stage which) {
  Variant pass = stage(chain, which);
  for (std::size_t i = 0; i < formula_slots.size(); ++i) {
    const auto formula = static_cast<Formula>(i);
    if (pass.has(formula) && reads(pass.formula(formula), Operation::passed))
      pass = pass.with(
          formula,
          replaced(pass.formula(formula), Operation::passed, input(passed_input, {Axes::value_head, Axes::key})),
          pass.domain(formula));
  }
  return pass;
}

}  // namespace rankone
