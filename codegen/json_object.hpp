// SPDX-License-Identifier: MIT
// Reads a JSON object strictly: unknown, doubled and ill-typed members are refused with what is accepted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "codegen/names.hpp"
#include "codegen/nearest.hpp"

namespace rankone {

// Why the JSON library does not take a text, in words without its own: the number that is out of range, or what is wrong
// and at which line and column.
struct JsonFailure {
  std::string message, given;
};
JsonFailure json_failure(const nlohmann::json::exception& error);

// Refuses, too, a member that stands twice, of which the parser would keep the later, and what nests deeper than `most_depth`,
// which to quote would take a stack as deep.
nlohmann::json parse_json(std::string_view text, std::string_view where, int most_depth = 64);

class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string where, const std::vector<std::string_view>& accepted);

  bool has(const char* key) const { return value_.contains(key); }
  const nlohmann::json& at(const char* key) const;  // throws where it is missing
  std::string string(const char* key) const;
  double number(const char* key) const;
  int integer(const char* key) const;
  bool boolean(const char* key) const;
  std::string where(const char* key) const { return where_ + "." + key; }

  template <class Table> ValueOf<Table> named(const char* key, const Table& table) const {
    const std::string name = string(key);
    if (const auto value = value_in(table, name)) return *value;
    std::vector<std::string_view> names;
    for (const auto& entry : table) names.push_back(entry.name);
    refuse(key, "unknown name" + did_you_mean(name, names), "'" + name + "'", list_of(table));
  }
  [[noreturn]] void refuse(const char* key, std::string message, std::string given, std::string accepted) const;

 private:
  const nlohmann::json& value_;
  std::string where_, accepted_;
};

}  // namespace rankone
