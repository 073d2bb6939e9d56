// SPDX-License-Identifier: MIT
// Writes struct Gate: a variant's formulas as CUDA.
#include "codegen/gate_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <rankone/dsl/describe.hpp>
#include <rankone/dsl/operations.hpp>
#include <rankone/error.hpp>

#include "codegen/bounds.hpp"
#include "codegen/formula.hpp"
#include "codegen/render.hpp"

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
    const Variant& variant = program_.variant;
    text_ = "struct Gate {\n";
    const Expression& log_decay = variant.decay_.log_decay;
    absolute_ = may_be_absolute();
    formula("log_decay", "log-decay", log_decay, "0.0f");
    absolute_ = false;
    formula("key", "written key", variant.key_, "at.key()");
    formula("write_scale", "write scale", variant.write_scale_, "1.0f");
    feature_map(variant.feature_map_);
    return text_ + "};\n";
  }

 private:
  // An error of each token's log-decay adds up over as many tokens as the state remembers, here to less than a 16-bit
  // output shows. Decays per token are few, and what a formula reads of a decay may be its difference from 1.
  bool may_be_absolute() const {
    const Variant& variant = program_.variant;
    const bool is_read = reads(variant.key_, Operation::decay) || reads(variant.write_scale_, Operation::decay);
    return variant.decay_.kind == DecayKind::per_key && program_.options.dtype != dtype::f32 && !is_read &&
           growth_of_log_errors(variant.decay_.log_decay) <= most_growth;
  }

  void formula(const char* name, const char* caption, const Expression& expression, const char* absent) {
    comment(caption, expression);
    const std::string body = expression.empty() ? returning(absent) : returning(expression);
    const bool reads = body.find("at.") != std::string::npos;
    text_ += std::string("  template <class At> static RK_DEVICE float ") + name + "(const At&" + (reads ? " at" : "") +
             ") " + body;
  }

  void feature_map(const Expression& expression) {
    comment("feature map of q and k", expression);
    text_ += "  static RK_DEVICE float feature_map(float element) ";
    text_ += expression.empty() ? returning("element") : returning(expression);
  }

  void comment(const char* caption, const Expression& expression) {
    if (!expression.empty()) text_ += std::string("  // ") + caption + " = " + formula_caption(expression) + "\n";
  }

  static std::string returning(const char* value) { return std::string("{ return ") + value + "; }\n"; }

  std::string returning(const Expression& expression) const {
    const Rendering rendering = render(canonical(expression), style());
    std::string body = "{\n";
    for (const auto& [name, value] : rendering.bindings) body += "    const float " + name + " = " + value + ";\n";
    return body + "    return " + rendering.result + ";\n  }\n";
  }

  RenderStyle style() const {
    return {.leaf = [this](const Node& node) { return leaf(node); },
            .function = [this](Operation operation) { return function(operation, absolute_); },
            .cuda = true};
  }

  std::string leaf(const Node& node) const {
    const auto index_in = [&](PortRole role) {
      const std::vector<Port> list = ports_of(program_.ports, role);
      return std::to_string(find_port(list, node.name.view()) - list.data());
    };
    switch (node.operation) {
      case Operation::constant: return literal(node.value);
      case Operation::element: return "element";
      case Operation::input: return "at.template input<" + index_in(PortRole::gate) + ">()";
      case Operation::parameter: return "at.template parameter<" + index_in(PortRole::parameter) + ">()";
      case Operation::scalar: {
        const auto found = std::find(program_.scalars.begin(), program_.scalars.end(), node.name.view());
        return "at.template scalar<" + std::to_string(found - program_.scalars.begin()) + ">()";
      }
      default: return "at." + std::string(name_of(node.operation)) + "()";
    }
  }

  const Program& program_;
  std::string text_;
  bool absolute_ = false;
};

}  // namespace

std::string gate_text(const Program& program) { return GateWriter(program).run(); }

}  // namespace rankone
