// SPDX-License-Identifier: MIT
// An ordered JSON value, small to include: the documents that the command prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rankone {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  struct Raw {  // text that is JSON already
    std::string text;
  };
  using Value = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object, Raw>;

  Json() : value_(nullptr) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<std::int64_t>(value)) {}
  Json(std::int64_t value) : value_(value) {}
  Json(std::size_t value) : value_(static_cast<std::int64_t>(value)) {}
  Json(double value) : value_(value) {}  // printed as null where it is not finite: JSON has no such numbers
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(const std::vector<std::string>& values) : value_(Array(values.begin(), values.end())) {}

  static Json array(Array items = {}) { return Json(Value(std::move(items))); }
  static Json object(Object members = {}) { return Json(Value(std::move(members))); }
  static Json raw(std::string text) { return Json(Value(Raw{std::move(text)})); }

  void append(Json item) { std::get<Array>(value_).push_back(std::move(item)); }
  void set(std::string key, Json item) { std::get<Object>(value_).emplace_back(std::move(key), std::move(item)); }
  const Value& value() const { return value_; }

 private:
  explicit Json(Value value) : value_(std::move(value)) {}
  Value value_;
};

std::string dump(const Json& document);  // indented by two spaces, with a newline at the end

// The text of member `key` of the JSON object `text`; empty where there is no such member, or no object.
std::string member_text(const std::string& text, const std::string& key, const std::string& where);

}  // namespace rankone
