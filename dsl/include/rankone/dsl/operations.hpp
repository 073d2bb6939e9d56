// SPDX-License-Identifier: MIT
// The operations of formulas: one table of what each is called and takes, for parsers, printers, checks and emitters.
#pragma once

#include <array>
#include <string_view>

#include <rankone/dsl/math.hpp>

namespace rankone {

enum class Operation : unsigned char {
  constant,        // value
  input,           // a token input, by name
  parameter,       // a learned parameter, by name
  scalar,          // a named run-time scalar
  element,         // the argument of a feature map
  other,           // of a pair of elements the second one, where element() is the first
  keys,            // K, the number of elements
  query,           // of q, k and v, behind the feature map: in formulas of a row of the state or of a value column
  key,             //
  value,           //
  decay,           // exp(log-decay) of the token
  read,            // what the query reads of the state, scaled
  normaliser,      // what it reads of a value column of ones
  unit,            // exp(-m), m the running maximum of write scales' logarithms: what is read is 1/unit times as much
  scanned,         // the scan behind the token, at one key
  scanned_before,  // and before it
  passed,          // of a chain, in its second pass: what the first one has read
  head,            // index of the value head
  heads,           // number of value heads
  position,        // index of the token in its sequence
  // One operand, left.
  negate,
  exp,
  log,
  sigmoid,
  log_sigmoid,
  softplus,
  tanh,
  sin,
  cos,
  silu,
  relu,
  sqrt,
  square,
  step,     // 1 above zero, else 0: the slope of relu
  key_sum,  // over a row of keys: the same number for each of them
  key_max,
  // Two operands, left and right.
  add,
  subtract,
  multiply,
  divide,
  concatenate,  // of a feature map: the second behind the first
  minimum,
  maximum
};

struct OperationTraits {
  Operation operation;
  std::string_view name;  // as a declaration spells it: a function, or the sign of an operator
  int operands;
  // Of a leaf:
  double low = -math::infinity, high = math::infinity;  // between which numbers it always stays
  bool of_gates = true;                                 // whether any gate may read it; others by name in slots.hpp
  bool varies = false;                                  // from token to token
};

inline constexpr std::array operation_traits{
    OperationTraits{Operation::constant, "constant", 0},
    OperationTraits{.operation = Operation::input, .name = "input", .operands = 0, .varies = true},
    OperationTraits{Operation::parameter, "param", 0},
    OperationTraits{Operation::scalar, "scalar", 0},
    OperationTraits{.operation = Operation::element, .name = "element", .operands = 0, .of_gates = false},
    OperationTraits{.operation = Operation::other, .name = "other", .operands = 0, .of_gates = false},
    OperationTraits{Operation::keys, "keys", 0, 1, 256, false},
    OperationTraits{.operation = Operation::query, .name = "query", .operands = 0, .of_gates = false, .varies = true},
    OperationTraits{.operation = Operation::key, .name = "key", .operands = 0, .of_gates = false, .varies = true},
    OperationTraits{.operation = Operation::value, .name = "value", .operands = 0, .of_gates = false, .varies = true},
    OperationTraits{Operation::decay, "decay", 0, 0, 1, false, true},
    OperationTraits{.operation = Operation::read, .name = "read", .operands = 0, .of_gates = false, .varies = true},
    OperationTraits{
        .operation = Operation::normaliser, .name = "normaliser", .operands = 0, .of_gates = false, .varies = true},
    OperationTraits{Operation::unit, "unit", 0, 0x1p-126, math::infinity, false, true},
    OperationTraits{
        .operation = Operation::scanned, .name = "scanned", .operands = 0, .of_gates = false, .varies = true},
    OperationTraits{.operation = Operation::scanned_before,
                    .name = "scanned_before",
                    .operands = 0,
                    .of_gates = false,
                    .varies = true},
    OperationTraits{.operation = Operation::passed, .name = "passed", .operands = 0, .of_gates = false, .varies = true},
    OperationTraits{Operation::head, "head", 0, 0},
    OperationTraits{Operation::heads, "heads", 0, 1},
    OperationTraits{Operation::position, "position", 0, 0, math::infinity, true, true},
    OperationTraits{Operation::negate, "-", 1},
    OperationTraits{Operation::exp, "exp", 1},
    OperationTraits{Operation::log, "log", 1},
    OperationTraits{Operation::sigmoid, "sigmoid", 1},
    OperationTraits{Operation::log_sigmoid, "log_sigmoid", 1},
    OperationTraits{Operation::softplus, "softplus", 1},
    OperationTraits{Operation::tanh, "tanh", 1},
    OperationTraits{Operation::sin, "sin", 1},
    OperationTraits{Operation::cos, "cos", 1},
    OperationTraits{Operation::silu, "silu", 1},
    OperationTraits{Operation::relu, "relu", 1},
    OperationTraits{Operation::sqrt, "sqrt", 1},
    OperationTraits{Operation::square, "square", 1},
    OperationTraits{Operation::step, "step", 1},
    OperationTraits{Operation::key_sum, "key_sum", 1},
    OperationTraits{Operation::key_max, "key_max", 1},
    OperationTraits{Operation::add, "+", 2},
    OperationTraits{Operation::subtract, "-", 2},
    OperationTraits{Operation::multiply, "*", 2},
    OperationTraits{Operation::divide, "/", 2},
    OperationTraits{Operation::concatenate, "concatenate", 2},
    OperationTraits{Operation::minimum, "min", 2},
    OperationTraits{Operation::maximum, "max", 2},
};

constexpr bool is_known(Operation operation) { return static_cast<std::size_t>(operation) < operation_traits.size(); }
constexpr const OperationTraits& traits(Operation operation) {
  return operation_traits[static_cast<std::size_t>(operation)];
}
constexpr std::string_view name_of(Operation operation) { return traits(operation).name; }
constexpr int operand_count(Operation operation) { return traits(operation).operands; }
// Of a whole row, not of one element.
constexpr bool reduces_keys(Operation operation) {
  return operation == Operation::key_sum || operation == Operation::key_max;
}
constexpr bool is_tensor(Operation operation) {
  return operation == Operation::input || operation == Operation::parameter;
}
constexpr bool is_named(Operation operation) { return is_tensor(operation) || operation == Operation::scalar; }

constexpr bool stands_in_order(const auto& table) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i].operation != static_cast<Operation>(i)) return false;
  return table.back().operation == Operation::maximum;
}
static_assert(stands_in_order(operation_traits), "one row for each operation, in the order of the enumeration");

}  // namespace rankone
