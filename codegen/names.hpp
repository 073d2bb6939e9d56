// SPDX-License-Identifier: MIT
// The written names of enumerations: in JSON, in schedules, on the command line.
#pragma once

#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rankone/dsl/variant.hpp>

#include "codegen/program.hpp"

namespace rankone {

template <class Value> struct NamedValue {
  std::string_view name;
  Value value;
};

// As formulas and shapes write them, in the order of a tensor's dimensions.
inline constexpr NamedValue<Axes> axis_names[] = {
    {"H", Axes::head}, {"HV", Axes::value_head}, {"K", Axes::key}, {"M", Axes::slot}, {"V", Axes::value}};
inline constexpr auto decay_names = [] {
  std::array<NamedValue<Axes>, decay_domains.size() + 1> names{{{"none", Axes::none}}};
  for (std::size_t i = 0; i < decay_domains.size(); ++i) names[i + 1] = {decay_domains[i].name, decay_domains[i].axes};
  return names;
}();
// What kernels take and give.
inline constexpr NamedValue<dtype> storage_type_names[] = {
    {"bf16", dtype::bf16}, {"f16", dtype::f16}, {"f32", dtype::f32}};
inline constexpr NamedValue<Precision> precision_names[] = {{"tf32", Precision::tf32}, {"f32", Precision::f32}};
inline constexpr NamedValue<Level> level_names[] = {
    {"automatic", Level::automatic}, {"serial", Level::serial}, {"chunk", Level::chunk}, {"segment", Level::segment}};
inline constexpr NamedValue<Family> family_names[] = {
    {"portable", Family::portable}, {"hopper", Family::hopper}, {"recurrent", Family::recurrent}};
inline constexpr NamedValue<PortRole> role_names[] = {
    {"input", PortRole::input},        {"gate", PortRole::gate},       {"parameter", PortRole::parameter},
    {"state", PortRole::state},        {"saved", PortRole::saved},     {"output", PortRole::output},
    {"gradient", PortRole::gradient},  {"packing", PortRole::packing}, {"index", PortRole::index},
    {"workspace", PortRole::workspace}};
inline constexpr NamedValue<Pass> pass_names[] = {{"forward", Pass::forward},
                                                  {"states", Pass::states},
                                                  {"combine", Pass::combine},
                                                  {"backward", Pass::backward},
                                                  {"decode", Pass::decode}};
inline constexpr NamedValue<Pass> pass_titles[] = {{"forward", Pass::forward},
                                                   {"state-only", Pass::states},
                                                   {"combining", Pass::combine},
                                                   {"backward", Pass::backward},
                                                   {"decode", Pass::decode}};

// A table is an array of NamedValue.
template <class Table> using ValueOf = std::remove_cvref_t<decltype(std::begin(std::declval<const Table&>())->value)>;

inline constexpr std::string_view unnamed = "?";
template <class Table> constexpr std::string_view name_in(const Table& table, ValueOf<Table> value) {
  for (const auto& entry : table)
    if (entry.value == value) return entry.name;
  return unnamed;
}
template <class Table> constexpr std::optional<ValueOf<Table>> value_in(const Table& table, std::string_view name) {
  for (const auto& entry : table)
    if (entry.name == name) return entry.value;
  return std::nullopt;
}
template <class Table> std::string list_of(const Table& table) {
  std::string list;
  for (const auto& entry : table) list += (list.empty() ? "" : ", ") + std::string(entry.name);
  return list;
}

}  // namespace rankone
