// SPDX-License-Identifier: MIT
// JSON of variants.
#include <rankone/variant_json.hpp>

#include <algorithm>
#include <array>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/formula.hpp"
#include "codegen/json_object.hpp"

namespace rankone {
namespace {

using json = nlohmann::ordered_json;

bool is_function_of_one(const OperationTraits& each) {
  return each.operands == 1 && each.operation != Operation::negate;
}

// Where a formula is one of the element, a function by its bare name is applied to it, as a declaration in C++ does.
Expression formula(const JsonObject& object, const char* key, const Slot& slot) {
  if (!object.has(key)) return {};
  const std::string text = object.string(key);
  if (!slot.leaves.has(Operation::element) || !is_identifier(text)) return parse_formula(text, object.where(key));
  std::string accepted;
  for (const OperationTraits& each : operation_traits) {
    if (!is_function_of_one(each)) continue;
    if (each.name == text) return parse_formula(text + "(element())", object.where(key));
    accepted += std::string(each.name) + ", ";
  }
  object.refuse(key, "no function of one operand has this name", "'" + text + "'",
                accepted + "or a formula of element()");
}

// The kind of what a formula runs over, where there is a choice.
constexpr const char* kind_key = "kind";

constexpr const char* then_key = "then";

std::vector<std::string_view> members() {
  std::vector<std::string_view> names{"name"};
  for (const Slot& slot : formula_slots) names.push_back(slot.member);
  for (const Switch& each : switches)
    if (names.back() != each.member) names.push_back(each.member);
  names.insert(names.end(), {"steps", "scale", "chunk", "level", then_key});
  return names;
}

// Of a chain's second pass.
std::vector<std::string_view> members_of_second_pass() {
  std::vector<std::string_view> names;
  for (const Slot& slot : formula_slots)
    if (slot.of_second_pass) names.push_back(slot.member);
  for (const Switch& each : switches)
    if (each.next != nullptr) names.push_back(each.member);
  return names;
}

// The second pass with what it may have in any case in the place of a formula: one that is wanted, or none.
Variant without(const Variant& second, Formula which) {
  if (which == Formula::key) return second.key(1);
  if (which == Formula::query) return second.query(passed());
  return second.with(which, {}, Axes::none);
}

class Reader {
 public:
  Reader(const nlohmann::json& parsed, std::string_view where) : object_(parsed, std::string(where), members()) {}

  Variant run() {
    const std::string name = object_.string("name");
    if (name.size() > max_name)
      object_.refuse("name", "a name is too long", "'" + name + "'",
                     "at most " + std::to_string(max_name) + " characters");
    if (name.find('\0') != std::string::npos)
      object_.refuse("name", "a name holds no zero byte", "'" + name + "'", "letters, digits and underscores");
    variant_.name = Name(name);
    check("name");
    for (const Slot& slot : formula_slots) read(slot);
    for (std::size_t i = 0; i < switches.size(); ++i)
      if (i == 0 || switches[i].member != switches[i - 1].member) read(switches[i]);
    if (object_.has("steps")) variant_.steps_ = object_.integer("steps");
    check("steps");
    if (object_.has("scale")) {
      variant_.scale_ = object_.number("scale");
      if (variant_.scale_ == 0)
        object_.refuse("scale", "a scale of zero reads nothing", "0", "a number other than zero");
      check("scale");
    }
    if (object_.has("chunk")) variant_.chunk_ = object_.integer("chunk");
    check("chunk");
    if (object_.has("level")) variant_.level_ = object_.named("level", level_names);
    check("level");
    if (object_.has(then_key)) read_second_pass();
    require_valid();
    return variant_;
  }

 private:
  // Read as a variant is, but judged with the first pass alone.
  Reader(JsonObject object, std::nullptr_t) : object_(std::move(object)), is_second_pass_(true) {}
  void read_second_pass() {
    Reader second({object_.at(then_key), object_.where(then_key), members_of_second_pass()}, nullptr);
    for (const Slot& slot : formula_slots)
      if (slot.of_second_pass) second.read(slot);
    for (const Switch& each : switches)
      if (each.next != nullptr) second.read(each);
    const Variant first = variant_;
    guarded(then_key, {}, [&] { variant_ = first.then(second.variant_); });
    check(then_key);
    if (const std::string message = refusal_of(variant_); !message.empty()) second.blame(first, message, doubts_);
  }
  // Empty: there is none.
  static std::string refusal_of(const Variant& variant) {
    try {
      validate(variant);
      return {};
    } catch (const Error& error) {
      return error.message();
    }
  }
  // A chain is judged once both of its passes are there: the place of what is said of it is the one without which it is
  // not said.
  void blame(const Variant& first, const std::string& message, std::vector<Error>& doubts) const {
    const auto doubt = std::ranges::find_if(doubts, [&](const Error& each) { return each.message() == message; });
    for (const Slot& slot : formula_slots) {
      const bool is_wanted = slot.formula == Formula::key || slot.formula == Formula::query;
      if (doubt == doubts.end() || !(variant_.has(slot.formula) || is_wanted)) continue;
      if (refusal_of(first.then(without(variant_, slot.formula))) == message) continue;
      const std::string &text = texts_[static_cast<std::size_t>(slot.formula)],
                        in = text.empty() ? "" : " in '" + text + "'";
      *doubt = Error(doubt->code(), message, doubt->given() + in, doubt->accepted(),
                     object_.where(std::string(slot.member).c_str()));
      return;
    }
  }
  void read(const Slot& slot) {
    const std::string member(slot.member), name(slot.name);
    if (!object_.has(member.c_str())) return;
    if (!slot.has_domains()) return add(slot, object_, member, slot.domain);
    const JsonObject inner(object_.at(member.c_str()), object_.where(member.c_str()), {kind_key, name});
    add(slot, inner, name, inner.named(kind_key, decay_names));
  }
  // All choices of the member of one.
  void read(const Switch& first) {
    const std::string member(first.member);
    if (!object_.has(member.c_str())) return;
    std::vector<NamedValue<const Switch*>> choices{{first.off, nullptr}};
    for (const Switch& each : switches)
      if (each.member == first.member) choices.push_back({each.on, &each});
    if (const Switch* const chosen = object_.named(member.c_str(), choices)) variant_.*chosen->flag = true;
    check(member.c_str());
  }
  void add(const Slot& slot, const JsonObject& of, const std::string& key, Axes domain) {
    const Expression expression = formula(of, key.c_str(), slot);
    const std::string member(slot.member);
    const std::string text = of.has(key.c_str()) ? of.string(key.c_str()) : "";
    texts_[static_cast<std::size_t>(slot.formula)] = text;
    guarded(member.c_str(), text, [&] { variant_ = variant_.with(slot.formula, expression, domain); });
    check(member.c_str(), text);
  }
  void check(const char* member, std::string_view formula = {}) {
    if (is_second_pass_) return;
    try {
      guarded(member, formula, [&] { validate(variant_); });
    } catch (const Error& error) {
      doubts_.push_back(error);  // a member to come may resolve it
    }
  }
  // What is not valid in the end became so through the member that was read when it was first found.
  void require_valid() const {
    try {
      validate(variant_);
    } catch (const Error& error) {
      for (const Error& doubt : doubts_)
        if (doubt.message() == error.message()) throw doubt;
      throw;
    }
  }
  // What is valid so far becomes invalid through the member read last: the place that a refusal names. Where that is a
  // formula, the refusal shows it, too.
  template <class Step> void guarded(const char* member, std::string_view formula, const Step& step) const {
    try {
      step();
    } catch (const Error& error) {
      const std::string in = formula.empty() ? "" : " in '" + std::string(formula) + "'";
      throw Error(error.code(), error.message(), error.given() + in, error.accepted(), object_.where(member));
    }
  }

  const JsonObject object_;
  Variant variant_{};
  bool is_second_pass_ = false;
  std::array<std::string, formula_slots.size()> texts_{};  // of formulas
  std::vector<Error> doubts_{};
};

}  // namespace

namespace {

void write_formulas(const Variant& variant, json& result) {
  for (const Slot& slot : formula_slots) {
    const Expression formula = variant.formula(slot.formula);
    const std::string member(slot.member), name(slot.name);
    const bool is_tacit = slot.absent.empty() && formula.empty();
    if (slot.has_domains() && !is_tacit) {
      result[member] = {{kind_key, name_in(decay_names, variant.domain(slot.formula))}};
      if (!formula.empty()) result[member][name] = formula_text(formula);
    } else if (!formula.empty()) {
      result[member] = formula_text(formula);
    }
  }
}

json second_pass_json(const Variant& chain) {
  const Variant pass = second_pass_of(chain);
  json result = json::object();
  write_formulas(pass, result);
  for (const Switch& each : switches)
    if (pass.*each.flag) result[std::string(each.member)] = each.on;
  return result;
}

}  // namespace

std::string variant_to_json(const Variant& variant, int indent) {
  validate(variant);
  json result{{"name", variant.name.view()}};
  write_formulas(variant, result);
  for (const Switch& each : switches)
    if (variant.*each.flag) result[std::string(each.member)] = each.on;
  if (variant.steps_ != 1) result["steps"] = variant.steps_;
  if (variant.scale_ != 0) result["scale"] = variant.scale_;
  if (variant.chunk_ != 0) result["chunk"] = variant.chunk_;
  if (variant.level_ != Level::automatic) result["level"] = name_in(level_names, variant.level_);
  if (variant.chains_) result[then_key] = second_pass_json(variant);
  return result.dump(indent);
}

Variant variant_from_json(std::string_view text, std::string_view where) {
  const nlohmann::json parsed = parse_json(text, where);
  return Reader(parsed, where).run();
}

}  // namespace rankone
