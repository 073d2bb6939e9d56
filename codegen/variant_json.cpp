// SPDX-License-Identifier: MIT
// JSON of variants.
#include "codegen/variant_json.hpp"

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/formula.hpp"
#include "codegen/json_object.hpp"

namespace rankone {
namespace {

using json = nlohmann::ordered_json;

Expression formula(const JsonObject& object, const char* key) {
  return object.has(key) ? parse_formula(object.string(key), object.where(key)) : Expression{};
}

// A function by its bare name is applied to the element, as a declaration in C++ applies it.
Expression feature_map(const JsonObject& object, const char* key) {
  if (object.has(key))
    for (const OperationTraits& each : operation_traits)
      if (operand_count(each.operation) == 1 && each.operation != Operation::negate && each.name == object.string(key))
        return parse_formula(std::string(each.name) + "(element())", object.where(key));
  return formula(object, key);
}

}  // namespace

std::string variant_to_json(const Variant& variant, int indent) {
  json result{{"name", variant.name.view()}};
  const auto put = [](json& object, const char* key, const Expression& expression) {
    if (!expression.empty()) object[key] = formula_text(expression);
  };
  result["decay"] = {{"kind", name_in(decay_names, variant.decay_.kind)}};
  put(result["decay"], "log_decay", variant.decay_.log_decay);
  put(result, "key", variant.key_);
  put(result, "write_scale", variant.write_scale_);
  put(result, "feature_map", variant.feature_map_);
  if (variant.scale_ != 0) result["scale"] = variant.scale_;
  if (variant.chunk_ != 0) result["chunk"] = variant.chunk_;
  if (variant.level_ != Level::automatic) result["level"] = name_in(level_names, variant.level_);
  return result.dump(indent);
}

Variant variant_from_json(std::string_view text, std::string_view where) {
  const nlohmann::json parsed = parse_json(text, where);
  const JsonObject object(parsed, std::string(where),
                          {"name", "decay", "key", "write_scale", "feature_map", "scale", "chunk", "level"});
  Variant variant;
  const std::string name = object.string("name");
  if (name.size() > max_name) object.refuse("name", "a name is too long", "'" + name + "'", "at most 31 characters");
  variant.name = Name(name);
  // What is valid so far becomes invalid through the member read last: the place that a refusal names.
  const auto check = [&](const char* member) {
    try {
      validate(variant);
    } catch (const Error& error) {
      throw Error(error.code(), error.message(), error.given(), error.accepted(), object.where(member));
    }
  };
  check("name");
  if (object.has("decay")) {
    const JsonObject decay(object.at("decay"), object.where("decay"), {"kind", "log_decay"});
    variant.decay_.kind = decay.named("kind", decay_names);
    variant.decay_.log_decay = formula(decay, "log_decay");
    check("decay");
  }
  variant.key_ = formula(object, "key");
  check("key");
  variant.write_scale_ = formula(object, "write_scale");
  check("write_scale");
  variant.feature_map_ = feature_map(object, "feature_map");
  check("feature_map");
  if (object.has("scale")) {
    variant.scale_ = object.number("scale");
    if (variant.scale_ == 0) object.refuse("scale", "a scale of zero reads nothing", "0", "a number other than zero");
    check("scale");
  }
  if (object.has("chunk")) variant.chunk_ = object.integer("chunk");
  check("chunk");
  if (object.has("level")) variant.level_ = object.named("level", level_names);
  check("level");
  return variant;
}

}  // namespace rankone
