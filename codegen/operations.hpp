// SPDX-License-Identifier: MIT
// The names of operations, one table for parsing, printing and emission.
#pragma once

#include <optional>
#include <string_view>

#include <rankone/dsl/expression.hpp>

namespace rankone {

struct NamedOperation {
  std::string_view name;
  Operation operation;
};

inline constexpr NamedOperation unary_functions[] = {
    {"exp", Operation::exp},           {"log", Operation::log},           {"sigmoid", Operation::sigmoid},
    {"log_sigmoid", Operation::log_sigmoid}, {"softplus", Operation::softplus}, {"tanh", Operation::tanh},
    {"silu", Operation::silu},         {"relu", Operation::relu},         {"sqrt", Operation::sqrt},
    {"square", Operation::square}};
inline constexpr NamedOperation binary_functions[] = {{"min", Operation::minimum}, {"max", Operation::maximum}};
inline constexpr NamedOperation named_leaves[] = {
    {"input", Operation::input}, {"param", Operation::parameter}, {"scalar", Operation::scalar}};
inline constexpr NamedOperation plain_leaves[] = {
    {"element", Operation::element}, {"key", Operation::key},     {"decay", Operation::decay},
    {"head", Operation::head},       {"heads", Operation::heads}, {"position", Operation::position}};

template <std::size_t n>
constexpr std::optional<Operation> find_operation(const NamedOperation (&table)[n], std::string_view name) {
  for (const NamedOperation& entry : table)
    if (entry.name == name) return entry.operation;
  return std::nullopt;
}
template <std::size_t n>
constexpr std::string_view find_name(const NamedOperation (&table)[n], Operation operation) {
  for (const NamedOperation& entry : table)
    if (entry.operation == operation) return entry.name;
  return {};
}

constexpr bool is_leaf(Operation operation) { return operation <= Operation::position; }
constexpr bool is_binary(Operation operation) { return operation >= Operation::add; }

}  // namespace rankone
