// SPDX-License-Identifier: MIT
// Writes struct Gate: a variant's formulas as CUDA.
#include "codegen/gate_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <rankone/dsl/decay_sides.hpp>
#include <rankone/dsl/describe.hpp>
#include <rankone/dsl/operations.hpp>
#include <rankone/error.hpp>

#include "codegen/bounds.hpp"

namespace rankone {
namespace {

std::string literal(double value) {
  const float rounded = static_cast<float>(value);
  if (!std::isfinite(rounded))
    throw Error(ErrorCode::invalid_argument, "a constant does not fit float32", to_string(value),
                "magnitudes up to 3.4e38", "formula");
  char buffer[32];
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, rounded).ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

constexpr double most_growth = 1.0 / 16;

// `absolute`: with an absolute error of 2e-7, which is cheaper than a relative one.
std::string function(Operation operation, bool absolute) {
  switch (operation) {
    case Operation::minimum: return "minimum";
    case Operation::maximum: return "maximum";
    case Operation::key_sum:
    case Operation::key_max: return "at." + std::string(name_of(operation));
    case Operation::log:
    case Operation::log_sigmoid:
    case Operation::softplus: return (absolute ? "decay_" : "") + std::string(name_of(operation));
    default: return std::string(name_of(operation));
  }
}

class GateWriter {
 public:
  explicit GateWriter(const Program& program) : program_(program) {}

  std::string run() {
    text_ = "struct Gate {\n";
    // Of a decay that is a product, each factor is worth an exponential a key or a column instead of one an element.
    const DecaySides sides = decay_sides(program_.variant);
    for (const Slot& slot : formula_slots)
      if ((!sides || slot.formula != Formula::decay) && is_asked(slot.formula))
        formula(slot, program_.variant.formula(slot.formula));
    if (sides) {
      Slot slot = slot_of(Formula::decay);
      slot.name = "log_decay_of_key", slot.caption = "log-decay of a key";
      formula(slot, sides.of_keys);
      slot.name = "log_decay_of_value", slot.caption = "log-decay of a value column";
      formula(slot, sides.of_values);
    }
    return text_ + "};\n";
  }

 private:
  // The state-only pass reads nothing of a state.
  bool is_asked(Formula which) const {
    const bool is_of_reads = which == Formula::query || which == Formula::bonus || which == Formula::output;
    return program_.pass != Pass::states || !is_of_reads;
  }
  // An error of each token's log-decay adds up over as many tokens as the state remembers, here to less than a 16-bit
  // output shows. Decays per token are few, and what a formula reads of a decay may be its difference from 1.
  bool may_be_absolute() const {
    bool is_read = false;
    for_each_formula(program_.variant,
                     [&](const Slot&, const Expression& formula) { is_read |= reads(formula, Operation::decay); });
    return program_.variant.decays_by_key() && program_.options.dtype != dtype::f32 && !is_read &&
           growth_of_log_errors(program_.variant.formula(Formula::decay)) <= most_growth;
  }

  void formula(const Slot& slot, const Expression& expression) {
    if (expression.empty() && slot.absent.empty()) return;
    const std::string name(slot.name);
    absolute_ = slot.formula == Formula::decay && may_be_absolute();
    if (!expression.empty()) text_ += "  // " + std::string(slot.caption) + " = " + to_string(expression) + "\n";
    const std::string body =
        expression.empty() ? "{ return " + std::string(slot.absent) + "; }\n" : returning(expression);
    if (slot.leaves.has(Operation::element) && reduces_keys(expression))
      text_ += "  template <class At> static RK_DEVICE float " + name + "(const At& at, float element) " + body;
    else if (slot.leaves.has(Operation::element))
      text_ += "  static RK_DEVICE float " + name + "(float element) " + body;
    else
      text_ += "  template <class At> static RK_DEVICE float " + name + "(const At&" +
               (body.find("at.") != std::string::npos ? " at) " : ") ") + body;
  }

  std::string returning(const Expression& expression) const {
    Bindings bindings;
    const InfixStyle in = style();
    const std::string result = InfixWriter(expression, in, bindings).write({expression.size - 1}).front().text;
    std::string body = "{\n";
    for (const auto& [name, value] : bindings.list) body += "    const float " + name + " = " + value + ";\n";
    return body + "    return " + result + ";\n  }\n";
  }

  InfixStyle style() const {
    return {.leaf = [this](const Leaf& leaf) { return Infix{this->leaf(leaf)}; },
            .function = [this](Operation operation) { return function(operation, absolute_); },
            .cuda = true};
  }

  std::string leaf(const Leaf& leaf) const {
    const auto index_in = [&](PortRole role) {
      const std::vector<Port> list = ports_of(program_.ports, role);
      return std::to_string(find_port(list, leaf.view()) - list.data());
    };
    switch (leaf.operation) {
      case Operation::constant: return literal(leaf.value);
      case Operation::element: return "element";
      case Operation::input: return "at.template input<" + index_in(PortRole::gate) + ">()";
      case Operation::parameter: return "at.template parameter<" + index_in(PortRole::parameter) + ">()";
      case Operation::scalar: {
        const auto found = std::find(program_.scalars.begin(), program_.scalars.end(), leaf.view());
        return "at.template scalar<" + std::to_string(found - program_.scalars.begin()) + ">()";
      }
      default: return "at." + std::string(name_of(leaf.operation)) + "()";
    }
  }

  const Program& program_;
  std::string text_;
  bool absolute_ = false;
};

}  // namespace

std::string gate_text(const Program& program) { return GateWriter(program).run(); }

}  // namespace rankone
