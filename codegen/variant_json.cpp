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

bool is_function_of_one(const OperationTraits& each) {
  return each.operands == 1 && each.operation != Operation::negate;
}

// A function by its bare name is applied to the element, as a declaration in C++ applies it.
Expression feature_map(const JsonObject& object, const char* key) {
  if (!object.has(key)) return {};
  const std::string text = object.string(key);
  if (!is_identifier(text)) return formula(object, key);
  std::string accepted;
  for (const OperationTraits& each : operation_traits) {
    if (!is_function_of_one(each)) continue;
    if (each.name == text) return parse_formula(text + "(element())", object.where(key));
    accepted += std::string(each.name) + ", ";
  }
  object.refuse(key, "no function of one operand has this name", "'" + text + "'",
                accepted + "or a formula of element()");
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
  // What is valid so far becomes invalid through the member read last: the place that a refusal names. Where that is a
  // formula, the refusal shows it, too.
  const auto check = [&](const char* member, std::string_view formula) {
    try {
      validate(variant);
    } catch (const Error& error) {
      const std::string in = formula.empty() ? "" : " in '" + std::string(formula) + "'";
      throw Error(error.code(), error.message(), error.given() + in, error.accepted(), object.where(member));
    }
  };
  const auto formula_in = [](const JsonObject& of, const char* member) {
    return of.has(member) ? of.string(member) : "";
  };

  const std::string name = object.string("name");
  if (name.size() > max_name) object.refuse("name", "a name is too long", "'" + name + "'", "at most 31 characters");
  if (name.find('\0') != std::string::npos)
    object.refuse("name", "a name holds no zero byte", "'" + name + "'", "letters, digits and underscores");
  variant.name = Name(name);
  check("name", {});
  if (object.has("decay")) {
    const JsonObject decay(object.at("decay"), object.where("decay"), {"kind", "log_decay"});
    variant.decay_.kind = decay.named("kind", decay_names);
    variant.decay_.log_decay = formula(decay, "log_decay");
    check("decay", formula_in(decay, "log_decay"));
  }
  variant.key_ = formula(object, "key");
  check("key", formula_in(object, "key"));
  variant.write_scale_ = formula(object, "write_scale");
  check("write_scale", formula_in(object, "write_scale"));
  variant.feature_map_ = feature_map(object, "feature_map");
  check("feature_map", formula_in(object, "feature_map"));
  if (object.has("scale")) {
    variant.scale_ = object.number("scale");
    if (variant.scale_ == 0) object.refuse("scale", "a scale of zero reads nothing", "0", "a number other than zero");
    check("scale", {});
  }
  if (object.has("chunk")) variant.chunk_ = object.integer("chunk");
  check("chunk", {});
  if (object.has("level")) variant.level_ = object.named("level", level_names);
  check("level", {});
  return variant;
}

}  // namespace rankone
