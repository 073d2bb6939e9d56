// SPDX-License-Identifier: MIT
// Prints documents through the JSON library, which this file alone includes.
#include "tools/json.hpp"

#include <nlohmann/json.hpp>

#include "codegen/json_object.hpp"

namespace rankone {
namespace {

using Ordered = nlohmann::ordered_json;

Ordered convert(const Json& json) {
  struct Visitor {
    Ordered operator()(std::nullptr_t) const { return nullptr; }
    Ordered operator()(bool value) const { return value; }
    Ordered operator()(std::int64_t value) const { return value; }
    Ordered operator()(double value) const { return value; }
    Ordered operator()(const std::string& value) const { return value; }
    Ordered operator()(const Json::Raw& value) const { return Ordered::parse(value.text); }
    Ordered operator()(const Json::Array& items) const {
      Ordered array = Ordered::array();
      for (const Json& item : items) array.push_back(convert(item));
      return array;
    }
    Ordered operator()(const Json::Object& members) const {
      Ordered object = Ordered::object();
      for (const auto& [key, item] : members) object[key] = convert(item);
      return object;
    }
  };
  return std::visit(Visitor{}, json.value());
}

}  // namespace

std::string dump(const Json& document) {
  return convert(document).dump(2, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

std::string member_text(const std::string& text, const std::string& key, const std::string& where) {
  const nlohmann::json object = parse_json(text, where);
  return object.is_object() && object.contains(key) ? object[key].dump() : std::string();
}

}  // namespace rankone
