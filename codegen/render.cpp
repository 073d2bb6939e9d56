// SPDX-License-Identifier: MIT
// Infix text with no more parentheses than the graph needs.
#include "codegen/render.hpp"

#include <algorithm>
#include <cmath>

#include <rankone/dsl/graph.hpp>

namespace rankone {
namespace {

enum Precedence { sum = 1, product = 2, factor = 3, atom = 4 };

struct Text {
  std::string text;
  Precedence precedence;
  std::string at_least(Precedence needed) const { return precedence >= needed ? text : "(" + text + ")"; }
};

class Renderer {
 public:
  Renderer(const Expression& expression, const RenderStyle& style) : expression_(expression), style_(style) {
    for (int i = 0; i < expression.size; ++i)
      for (const int operand : {node(i).left, node(i).right})
        if (operand >= 0) ++uses_[index(operand)];
  }

  Rendering run() {
    for (int i = 0; i < expression_.size; ++i) {
      texts_[index(i)] = text(node(i));
      if (!is_bound(i)) continue;
      std::string name = next_name();
      rendering_.bindings.emplace_back(name, texts_[index(i)].text);
      texts_[index(i)] = {std::move(name), atom};
    }
    rendering_.result = texts_[index(expression_.size - 1)].text;
    return std::move(rendering_);
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  const Node& node(int i) const { return expression_.nodes[index(i)]; }
  const Text& operand(int i) const { return texts_[index(i)]; }

  bool is_bound(int i) const {
    const Operation operation = node(i).operation;
    if (uses_[index(i)] < 2) return false;
    if (operand_count(operation) > 0) return true;
    return style_.cuda && (operation == Operation::input || operation == Operation::parameter);
  }

  // t1, t2, ...: none that a tensor of the formula already has.
  std::string next_name() {
    for (;;) {
      std::string name = "t" + std::to_string(++last_name_);
      const auto taken = [&](const Node& other) { return other.name.view() == name; };
      if (std::none_of(expression_.nodes.begin(), expression_.nodes.begin() + expression_.size, taken)) return name;
    }
  }

  Text text(const Node& n) const {
    if (n.operation == Operation::constant)
      return {style_.leaf(n), n.value < 0 || std::signbit(n.value) ? factor : atom};
    if (operand_count(n.operation) == 0) return {style_.leaf(n), atom};
    const Text& left = operand(n.left);
    switch (n.operation) {
      case Operation::negate: {
        // "-2" is a constant and "--x" a decrement: both need parentheses here.
        const bool bare = left.precedence == atom && node(n.left).operation != Operation::constant;
        return {bare ? "-" + left.text : "-(" + left.text + ")", factor};
      }
      case Operation::add: return infix(n, " + ", sum);
      case Operation::subtract: return infix(n, " - ", sum);
      case Operation::multiply: return infix(n, " * ", product);
      case Operation::divide: return quotient(n);
      case Operation::step:
        if (style_.cuda) return {"(" + left.text + " > 0.0f ? 1.0f : 0.0f)", atom};
        break;
      default: break;
    }
    std::string call = style_.function(n.operation) + "(" + left.text;
    if (operand_count(n.operation) == 2) call += ", " + operand(n.right).text;
    return {call + ")", atom};
  }

  Text infix(const Node& n, const char* sign, Precedence precedence) const {
    const auto above = static_cast<Precedence>(precedence + 1);
    return {operand(n.left).at_least(precedence) + sign + operand(n.right).at_least(above), precedence};
  }

  Text quotient(const Node& n) const {
    if (!style_.cuda) return infix(n, " / ", product);
    const Node& divisor = node(n.right);
    int exponent = 0;
    if (divisor.operation == Operation::constant && std::abs(std::frexp(divisor.value, &exponent)) == 0.5 &&
        std::abs(exponent) < 100)
      return {operand(n.left).at_least(product) + " * " + style_.leaf({.value = 1 / divisor.value}), product};
    return {"divide(" + operand(n.left).text + ", " + operand(n.right).text + ")", atom};
  }

  const Expression& expression_;
  const RenderStyle& style_;
  std::array<int, max_nodes> uses_{};
  std::array<Text, max_nodes> texts_{};
  int last_name_ = 0;
  Rendering rendering_;
};

class Canonicalizer {
 public:
  explicit Canonicalizer(const Expression& source) : source_(source) { placed_.fill(-1); }
  Expression run() { return graph_.take(place(source_.size - 1)); }

 private:
  short place(int at) {
    short& known = placed_[static_cast<std::size_t>(at)];
    if (known >= 0) return known;
    Node node = source_.nodes[static_cast<std::size_t>(at)];
    if (node.left >= 0) node.left = place(node.left);
    if (node.right >= 0) node.right = place(node.right);
    return known = graph_.add(node);
  }

  const Expression& source_;
  std::array<short, max_nodes> placed_{};
  Graph<> graph_;
};

}  // namespace

Expression canonical(const Expression& expression) {
  return expression.empty() ? expression : Canonicalizer(expression).run();
}

Rendering render(const Expression& expression, const RenderStyle& style) { return Renderer(expression, style).run(); }

}  // namespace rankone
