// SPDX-License-Identifier: MIT
// What each operation is called and how many operands it takes: one table for parsers, printers and emitters.
#pragma once

#include <array>
#include <string_view>

#include <rankone/dsl/expression.hpp>

namespace rankone {

struct OperationTraits {
  Operation operation;
  std::string_view name;  // as a declaration spells it: a function, or the sign of an operator
  int operands;
};

inline constexpr std::array operation_traits{
    OperationTraits{Operation::constant, "constant", 0},
    OperationTraits{Operation::input, "input", 0},
    OperationTraits{Operation::parameter, "param", 0},
    OperationTraits{Operation::scalar, "scalar", 0},
    OperationTraits{Operation::element, "element", 0},
    OperationTraits{Operation::key, "key", 0},
    OperationTraits{Operation::decay, "decay", 0},
    OperationTraits{Operation::head, "head", 0},
    OperationTraits{Operation::heads, "heads", 0},
    OperationTraits{Operation::position, "position", 0},
    OperationTraits{Operation::negate, "-", 1},
    OperationTraits{Operation::exp, "exp", 1},
    OperationTraits{Operation::log, "log", 1},
    OperationTraits{Operation::sigmoid, "sigmoid", 1},
    OperationTraits{Operation::log_sigmoid, "log_sigmoid", 1},
    OperationTraits{Operation::softplus, "softplus", 1},
    OperationTraits{Operation::tanh, "tanh", 1},
    OperationTraits{Operation::silu, "silu", 1},
    OperationTraits{Operation::relu, "relu", 1},
    OperationTraits{Operation::sqrt, "sqrt", 1},
    OperationTraits{Operation::square, "square", 1},
    OperationTraits{Operation::step, "step", 1},
    OperationTraits{Operation::add, "+", 2},
    OperationTraits{Operation::subtract, "-", 2},
    OperationTraits{Operation::multiply, "*", 2},
    OperationTraits{Operation::divide, "/", 2},
    OperationTraits{Operation::minimum, "min", 2},
    OperationTraits{Operation::maximum, "max", 2},
};

constexpr bool is_known(Operation operation) { return static_cast<std::size_t>(operation) < operation_traits.size(); }
constexpr const OperationTraits& traits(Operation operation) {
  return operation_traits[static_cast<std::size_t>(operation)];
}
constexpr std::string_view name_of(Operation operation) { return traits(operation).name; }
constexpr int operand_count(Operation operation) { return traits(operation).operands; }
constexpr bool is_named(Operation operation) {
  return operation == Operation::input || operation == Operation::parameter || operation == Operation::scalar;
}

constexpr bool stands_in_order(const auto& table) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i].operation != static_cast<Operation>(i)) return false;
  return table.back().operation == Operation::maximum;
}
static_assert(stands_in_order(operation_traits), "one row for each operation, in the order of the enumeration");

}  // namespace rankone
