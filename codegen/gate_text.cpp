// SPDX-License-Identifier: MIT
// Writes struct Gate: a variant's formulas as CUDA.
#include "codegen/gate_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <rankone/dsl/decay_sides.hpp>
#include <rankone/dsl/describe.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/dsl/gradients.hpp>
#include <rankone/dsl/operations.hpp>
#include <rankone/dsl/parts.hpp>
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

// The slope of a formula's result. No variant has a scalar of that name.
constexpr Leaf result_slope{.operation = Operation::scalar, .name = Name("*")};

// Whether a slope may come to nothing within a formula and then meet something infinite: the slope of a logarithm at 0, of
// an exponential that a minimum has left out.
bool may_meet_infinity(const Expression& formula) {
  return reduces_keys(formula) || std::any_of(formula.begin(), formula.end(), [](const Node& node) {
           switch (node.operation) {
             case Operation::exp:
             case Operation::log:
             case Operation::sqrt:
             case Operation::divide:
             case Operation::minimum:
             case Operation::maximum: return true;
             default: return false;
           }
         });
}

// Which nodes of a formula's gradients are slopes.
std::vector<bool> slopes_among(Nodes nodes) {
  std::vector<bool> is_slope(static_cast<std::size_t>(nodes.size));
  for (std::size_t i = 0; i < is_slope.size(); ++i) {
    const Node& node = nodes[static_cast<int>(i)];
    is_slope[i] = nodes.leaf(node) == result_slope;
    for (const short operand : {node.left, node.right})
      is_slope[i] = is_slope[i] || (operand >= 0 && is_slope[static_cast<std::size_t>(operand)]);
  }
  return is_slope;
}

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
    text_ = "struct " + gate_name(program_.variant) + " {\n";
    // Of a decay that is a product, each factor is worth an exponential a key or a column instead of one an element.
    const DecaySides sides = decay_sides(program_.variant);
    for (const Slot& slot : formula_slots)
      if ((!sides || slot.formula != Formula::decay) && is_asked(slot.formula))
        both_ways(slot, program_.variant.formula(slot.formula));
    if (sides) {
      Slot slot = slot_of(Formula::decay);
      slot.name = "log_decay_of_key", slot.caption = "log-decay of a key";
      both_ways(slot, sides.of_keys);
      slot.name = "log_decay_of_value", slot.caption = "log-decay of a value column";
      both_ways(slot, sides.of_values);
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

  void both_ways(const Slot& slot, const Expression& expression) {
    formula(slot, expression);
    if (program_.pass == Pass::backward) backward(slot, expression);
  }

  void formula(const Slot& slot, const Expression& expression) {
    if (expression.empty() && slot.absent.empty()) return;
    const std::string name(slot.name);
    absolute_ = slot.formula == Formula::decay && may_be_absolute();
    if (!expression.empty()) text_ += "  // " + std::string(slot.caption) + " = " + to_string(expression) + "\n";
    if (slot.formula == Formula::feature_map && has_features(program_.variant)) return pieces(expression);
    const std::string body =
        expression.empty() ? "{ return " + std::string(slot.absent) + "; }\n" : returning(expression);
    if (slot.leaves.has(Operation::element) && map_reads_place(program_.variant))
      text_ += "  template <class At> static RK_DEVICE float " + name + "(const At& at, float element) " + body;
    else if (slot.leaves.has(Operation::element))
      text_ += "  static RK_DEVICE float " + name + "(float element) " + body;
    else
      text_ += "  template <class At> static RK_DEVICE float " + name + "(const At&" +
               (body.find("at.") != std::string::npos ? " at) " : ") ") + body;
  }

  std::string returning(const Expression& expression) const { return "{\n" + statements(expression) + "  }\n"; }
  std::string statements(const Expression& expression) const {
    Bindings bindings;
    const InfixStyle in = style();
    const std::string result = InfixWriter(expression, in, bindings).write({expression.size - 1}).front().text;
    std::string lines;
    for (const auto& [name, value] : bindings.list) lines += "    const float " + name + " = " + value + ";\n";
    return lines + "    return " + result + ";\n";
  }

  // A feature map's, of which one is asked for by its number. `write`: a piece's statements.
  template <class Write> static std::string choice(const Expression& map, const Write& write) {
    std::string body;
    for (int i = 0; i < count_pieces(map); ++i)
      body += std::string(i > 0 ? "    } else if" : "    if") + " constexpr (piece == " + std::to_string(i) + ") {\n" +
              write(piece_of(map, i).formula);
    return body + "    }\n";
  }
  // The place and the elements of a feature, by name where a body reads them.
  static std::string feature_arguments(const std::string& body) {
    const auto named = [&](const char* type, const char* name, const char* read) {
      return type + (body.find(read) != std::string::npos ? " " + std::string(name) : "");
    };
    return named("const At&", "at", "at.") + ", " + named("float", "element", "element") + ", " +
           named("float", "other", "other");
  }
  void pieces(const Expression& map) {
    const std::string body = choice(map, [&](const Expression& piece) { return statements(piece); });
    text_ += "  template <int piece, class At> static RK_DEVICE float feature_map(" + feature_arguments(body) +
             ") {\n" + body + "  }\n";
  }
  void pieces_backward(const Expression& map) {
    const std::string body = choice(map, [&](const Expression& piece) {
      const auto [bindings, added] = added_slopes(piece);
      const bool guarded = !added.empty() && !reduces_keys(piece);
      return (guarded ? "    if (slope == 0.0f) return;  // the element may be infinite\n" : "") + bindings + added;
    });
    text_ += "  template <int piece, class At, class Into>\n  static RK_DEVICE void feature_map_backward(" +
             feature_arguments(body) + ", float slope, Into& into) {\n" + body + "  }\n";
  }

  // From the slope of a formula's result to what it adds to those of the leaves.
  void backward(const Slot& slot, const Expression& expression) {
    absolute_ = false;
    if (slot.leaves.has(Operation::element))
      return has_features(program_.variant) ? pieces_backward(expression) : backward_of_element(expression);
    // A key that no formula changes is a formula, too.
    const Expression known =
        expression.empty() && slot.formula == Formula::key ? Expression(Leaf{Operation::key}) : expression;
    if (known.empty()) return;
    const std::string name = std::string(slot.name) + "_backward";
    const auto [bindings, added] = added_slopes(known);
    if (added.empty()) {
      text_ += "  template <class At, class Into> static RK_DEVICE void " + name + "(const At&, float, Into&) {}\n";
      return;
    }
    const bool reads = (bindings + added).find("at.") != std::string::npos;
    text_ +=
        "  template <class At, class Into>\n  static RK_DEVICE void " + name + "(const At&" + (reads ? " at" : "") +
        ", float slope, Into& into) {\n" +
        (reads && !reduces_keys(known) ? "    if (slope == 0.0f) return;  // what leaves hold may be infinite\n" : "") +
        bindings + added + "  }\n";
  }
  void backward_of_element(const Expression& expression) {
    const auto start = [&](const std::string& body) {
      if (!map_reads_place(program_.variant)) return std::string("  static RK_DEVICE float feature_map_backward(");
      return std::string("  template <class At> static RK_DEVICE float feature_map_backward(const At&") +
             (body.find("at.") != std::string::npos ? " at, " : ", ");
    };
    if (expression.empty()) {
      text_ += start("") + "float, float slope) { return slope; }\n";
      return;
    }
    const Gradients all = gradients(expression, result_slope);
    const short node = all.find(Operation::element)->node;
    if (node < 0) {
      text_ += start("") + "float, float) { return 0.0f; }\n";
      return;
    }
    const auto [bindings, slopes] = written_slopes(all, {node}, may_meet_infinity(expression));
    const std::string guard =
        reduces_keys(expression) ? "" : "    if (slope == 0.0f) return 0.0f;  // the element may be infinite\n";
    text_ += start(bindings + slopes.front()) + "float element, float slope) {\n" + guard + bindings + "    return " +
             slopes.front() + ";\n  }\n";
  }
  // Statements: what is named first, then what is added.
  std::pair<std::string, std::string> added_slopes(const Expression& formula) const {
    const Gradients all = gradients(formula, result_slope);
    std::vector<int> roots;
    std::vector<std::string> sinks;
    for (const Gradients::Entry& entry : all)
      if (const std::string sink = this->sink(entry.leaf); entry.node >= 0 && !sink.empty())
        roots.push_back(entry.node), sinks.push_back(sink);
    const auto [bindings, slopes] = written_slopes(all, roots, may_meet_infinity(formula));
    std::string added;
    for (std::size_t i = 0; i < sinks.size(); ++i) added += "    into." + sinks[i] + "(" + slopes[i] + ");\n";
    return {bindings, added};
  }
  std::pair<std::string, std::vector<std::string>> written_slopes(const Gradients& all, const std::vector<int>& roots,
                                                                  bool guarded) const {
    const std::vector<bool> is_slope = slopes_among(all.graph);
    InfixStyle in = style();
    if (guarded) in.may_vanish = [&](int node) { return is_slope[static_cast<std::size_t>(node)]; };
    Bindings bindings;
    std::vector<std::string> texts;
    for (const Infix& slope : InfixWriter(all.graph, in, bindings).write(roots)) texts.push_back(slope.text);
    std::string named;
    for (const auto& [name, value] : bindings.list) named += "    const float " + name + " = " + value + ";\n";
    return {named, texts};
  }
  // What takes the slope of a leaf; empty where nobody learns it.
  std::string sink(const Leaf& leaf) const {
    switch (leaf.operation) {
      case Operation::input: return "template add_input<" + index_in(PortRole::gate, leaf) + ">";
      case Operation::parameter: return "template add_parameter<" + index_in(PortRole::parameter, leaf) + ">";
      case Operation::element:
      case Operation::other:
      case Operation::query:
      case Operation::key:
      case Operation::value:
      case Operation::decay:
      case Operation::read:
      case Operation::normaliser:
      case Operation::scanned:
      case Operation::scanned_before: return "add_" + std::string(name_of(leaf.operation));
      default: return {};
    }
  }

  std::string index_in(PortRole role, const Leaf& leaf) const {
    const std::vector<Port> list = ports_of(program_.ports, role);
    return std::to_string(find_port(list, leaf.view()) - list.data());
  }

  InfixStyle style() const {
    return {.leaf = [this](const Leaf& leaf) { return Infix{this->leaf(leaf)}; },
            .function = [this](Operation operation) { return function(operation, absolute_); },
            .cuda = true};
  }

  std::string leaf(const Leaf& leaf) const {
    if (leaf == result_slope) return "slope";
    switch (leaf.operation) {
      case Operation::constant: return literal(leaf.value);
      case Operation::element:
      case Operation::other: return std::string(name_of(leaf.operation));
      case Operation::keys: return literal(program_.options.key_dim);
      case Operation::input: return "at.template input<" + index_in(PortRole::gate, leaf) + ">()";
      case Operation::parameter: return "at.template parameter<" + index_in(PortRole::parameter, leaf) + ">()";
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
