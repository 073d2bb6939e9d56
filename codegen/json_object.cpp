// SPDX-License-Identifier: MIT
// Strict JSON objects.
#include "codegen/json_object.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <rankone/error.hpp>

#include "codegen/nearest.hpp"

namespace rankone {
namespace {

using nlohmann::json;

std::string shortened(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

JsonFailure json_failure(const json::exception& error) {
  constexpr int number_overflow = 406;
  std::string reason = error.what();
  const auto behind = [&](std::string_view words) {
    const std::size_t at = reason.find(words);
    return at == std::string::npos ? std::string() : reason.substr(at + words.size());
  };
  if (error.id == number_overflow) {
    const std::string number = behind("parsing '");
    return {"a number is out of range", number.substr(0, number.find('\''))};
  }
  if (std::string at = behind("parse error at "); !at.empty()) return {"this is not JSON", std::move(at)};
  if (std::string words = behind("] "); !words.empty()) reason = std::move(words);  // behind the exception's name
  return {"this is not JSON", reason};
}

json parse_json(std::string_view text, std::string_view where, int most_depth) {
  std::vector<std::set<std::string>> members;  // of each open object
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > most_depth)
      throw Error(ErrorCode::invalid_argument, "JSON is nested too deeply", std::to_string(depth) + " levels",
                  "at most " + std::to_string(most_depth), std::string(where));
    if (event == json::parse_event_t::object_start) members.emplace_back();
    if (event == json::parse_event_t::object_end) members.pop_back();
    if (event == json::parse_event_t::key && !members.back().insert(value.get<std::string>()).second)
      throw Error(ErrorCode::invalid_argument, "a JSON member stands twice", shortened(value), "each member once",
                  std::string(where));
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    const auto [message, given] = json_failure(error);
    throw Error(ErrorCode::invalid_argument, message, given, "one JSON object, of numbers up to 1.8e308",
                std::string(where));
  }
}

JsonObject::JsonObject(const json& value, std::string where, const std::vector<std::string_view>& accepted)
    : value_(value), where_(std::move(where)) {
  for (const std::string_view key : accepted) accepted_ += (accepted_.empty() ? "" : ", ") + std::string(key);
  if (!value.is_object())
    throw Error(ErrorCode::invalid_argument, "a JSON object is needed", shortened(value), "an object with " + accepted_,
                where_);
  for (const auto& member : value.items())
    if (std::find(accepted.begin(), accepted.end(), member.key()) == accepted.end())
      throw Error(ErrorCode::invalid_argument, "unknown member" + did_you_mean(member.key(), accepted),
                  shortened(json(member.key())), accepted_, where_);
}

const json& JsonObject::at(const char* key) const {
  if (!has(key))
    throw Error(ErrorCode::invalid_argument, "member '" + std::string(key) + "' is missing", shortened(value_),
                accepted_, where_);
  return value_.at(key);
}

std::string JsonObject::string(const char* key) const {
  const json& value = at(key);
  if (!value.is_string()) refuse(key, "a string is needed", shortened(value), "a JSON string");
  return value.get<std::string>();
}

double JsonObject::number(const char* key) const {
  const json& value = at(key);
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    refuse(key, "a number is needed", shortened(value), "a finite JSON number");
  return value.get<double>();
}

int JsonObject::integer(const char* key) const {
  const double value = number(key);
  if (value != std::floor(value) || std::abs(value) > 1e9)
    refuse(key, "a whole number is needed", shortened(at(key)), "a whole number up to 1e9");
  return static_cast<int>(value);
}

bool JsonObject::boolean(const char* key) const {
  const nlohmann::json& value = at(key);
  if (!value.is_boolean()) refuse(key, "true or false is needed", shortened(value), "true, false");
  return value.get<bool>();
}

void JsonObject::refuse(const char* key, std::string message, std::string given, std::string accepted) const {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted), where(key));
}

}  // namespace rankone
