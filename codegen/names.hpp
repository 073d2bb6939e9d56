// SPDX-License-Identifier: MIT
// The written names of enumerations: in JSON, in schedules, on the command line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <rankone/dsl/variant.hpp>

#include "codegen/program.hpp"

namespace rankone {

template <class Value> struct NamedValue {
  std::string_view name;
  Value value;
};

inline constexpr NamedValue<DecayKind> decay_names[] = {{"none", DecayKind::none},
                                                        {"constant", DecayKind::constant},
                                                        {"per_head", DecayKind::per_head},
                                                        {"per_key", DecayKind::per_key}};
inline constexpr NamedValue<Level> level_names[] = {
    {"automatic", Level::automatic}, {"serial", Level::serial}, {"chunk", Level::chunk}, {"segment", Level::segment}};
inline constexpr NamedValue<Family> family_names[] = {{"portable", Family::portable}, {"hopper", Family::hopper}};
inline constexpr NamedValue<PortRole> role_names[] = {
    {"input", PortRole::input},        {"gate", PortRole::gate},       {"parameter", PortRole::parameter},
    {"state", PortRole::state},        {"saved", PortRole::saved},     {"output", PortRole::output},
    {"gradient", PortRole::gradient},  {"packing", PortRole::packing}, {"index", PortRole::index},
    {"workspace", PortRole::workspace}};
inline constexpr NamedValue<Pass> pass_names[] = {
    {"forward", Pass::forward}, {"states", Pass::states}, {"combine", Pass::combine}};
inline constexpr NamedValue<Pass> pass_titles[] = {
    {"forward", Pass::forward}, {"state-only", Pass::states}, {"combining", Pass::combine}};

template <class Value, std::size_t n>
constexpr std::string_view name_in(const NamedValue<Value> (&table)[n], Value value) {
  for (const NamedValue<Value>& entry : table)
    if (entry.value == value) return entry.name;
  return "?";
}
template <class Value, std::size_t n>
constexpr std::optional<Value> value_in(const NamedValue<Value> (&table)[n], std::string_view name) {
  for (const NamedValue<Value>& entry : table)
    if (entry.name == name) return entry.value;
  return std::nullopt;
}
template <class Value, std::size_t n> std::string list_of(const NamedValue<Value> (&table)[n]) {
  std::string list;
  for (const NamedValue<Value>& entry : table) list += (list.empty() ? "" : ", ") + std::string(entry.name);
  return list;
}

}  // namespace rankone
