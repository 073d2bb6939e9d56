// SPDX-License-Identifier: MIT
// Divisions, logarithms and roots whose operands' bounds reach beyond their domains.
#include "codegen/guards.hpp"

#include <rankone/dsl/describe.hpp>

#include "codegen/bounds.hpp"

namespace rankone {
namespace {

std::string text_of(const Expression& formula, int node) { return to_string(Expression(formula, node)); }

bool may_leave(Operation operation, const Interval& operand) {
  switch (operation) {
    case Operation::log:  // of 0 it is minus infinity, a legal reset
    case Operation::sqrt: return !(operand.low >= 0);
    case Operation::divide: return !(operand.low > 0 || operand.high < 0);
    default: return false;
  }
}

void add_missing(const Variant& variant, const Slot& slot, const Expression& formula,
                 std::vector<MissingGuard>& found) {
  const std::vector<Interval> bounds = all_bounds(formula, [&](Operation leaf) {
    return leaf == Operation::normaliser ? std::optional(normaliser_bounds(variant)) : std::nullopt;
  });
  for (int i = 0; i < formula.size; ++i) {
    const Node& node = formula[i];
    if (operand_count(node.operation) == 0) continue;
    const bool divides = node.operation == Operation::divide;
    const int operand = divides ? node.right : node.left;
    const Interval& bound = bounds[static_cast<std::size_t>(operand)];
    if (!may_leave(node.operation, bound)) continue;
    const std::string inner = text_of(formula, operand);
    std::string guard = std::string(name_of(node.operation)) + "(max(" + inner + ", 0))";
    if (divides) guard = bound.high <= 0 ? "/ min(" + inner + ", -1e-6)" : "/ max(" + inner + ", 1e-6)";
    found.push_back({.formula = slot.formula,
                     .stage = slot.stage,
                     .operation = text_of(formula, i),
                     .reason = inner + (divides ? " may be 0" : " may be below 0"),
                     .guard = guard});
  }
}

}  // namespace

std::vector<MissingGuard> missing_guards(const Variant& variant) {
  std::vector<MissingGuard> found;
  for_each_formula(variant,
                   [&](const Slot& slot, const Expression& formula) { add_missing(variant, slot, formula, found); });
  return found;
}

}  // namespace rankone
