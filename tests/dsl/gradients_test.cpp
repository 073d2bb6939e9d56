// SPDX-License-Identifier: MIT
// Gradients against finite differences, their conventions where a slope jumps, and how large they are.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include <rankone/dsl.hpp>

using namespace rankone;

namespace {

constexpr Leaf leaf_in(const Expression& expression) { return expression.leaf(expression.root()); }

template <class LeafValue> double value_of(const Gradients& gradients, const Leaf& leaf, const LeafValue& value) {
  const Gradients::Entry* entry = gradients.find(leaf.operation, leaf.name);
  return entry == nullptr || entry->node < 0 ? 0 : evaluate(gradients.graph, entry->node, value);
}

double at(const Expression& expression, double x, double y) {
  return evaluate(expression, {.named = {{"x", x}, {"y", y}}});
}

// Central differences, extrapolated once: the error is of fourth order.
double finite_difference(const Expression& expression, double x, double y, bool of_x) {
  const auto slope = [&](double h) {
    return of_x ? (at(expression, x + h, y) - at(expression, x - h, y)) / (2 * h)
                : (at(expression, x, y + h) - at(expression, x, y - h)) / (2 * h);
  };
  const double h = 1e-3;
  return (4 * slope(h / 2) - slope(h)) / 3;
}

void expect_right(const Expression& expression, double x, double y, double bound = 1e-7) {
  const Gradients all = gradients(expression);
  for (const bool of_x : {true, false}) {
    const double expected = finite_difference(expression, x, y, of_x);
    const Leaf leaf = leaf_in(of_x ? input("x") : input("y"));
    EXPECT_NEAR(value_of(all, leaf, Environment{.named = {{"x", x}, {"y", y}}}), expected,
                bound * (1 + std::abs(expected)))
        << "d/d" << leaf.view() << " " << to_string(expression) << "  at x=" << x << ", y=" << y;
  }
}

TEST(Gradient, OfEveryOperation) {
  for (const OperationTraits& operation : operation_traits) {
    if (operation.operands == 0) continue;
    const bool positive = operation.operation == Operation::log || operation.operation == Operation::sqrt;
    for (const double x : {-3.1, -0.7, 0.4, 2.3})
      for (const double y : {-1.9, 0.6, 3.2}) {
        const Expression left = positive ? input("x") * input("x") + 0.1 : input("x") * 1.5;
        expect_right(operation.operands == 1 ? apply(operation.operation, left)
                                             : apply(operation.operation, left, input("y") + 0.05),
                     x, y);
      }
  }
}

// Formulas grown at random from smooth operations of bounded slope.
Expression random_formula(std::mt19937& random, int depth) {
  if (depth == 0) return random() % 3 == 0 ? Expression(0.3) : random() % 2 ? input("x") : input("y");
  const auto part = [&] { return random_formula(random, depth - 1); };
  switch (random() % 9) {
    case 0: return part() + part();
    case 1: return part() - part();
    case 2: return tanh(part()) * part();
    case 3: return part() / (2 + tanh(part()));
    case 4: return sigmoid(part());
    case 5: return log_sigmoid(part());
    case 6: return softplus(part());
    case 7: return silu(part());
    default: return -exp(-square(part()));
  }
}

// No legal formula lacks one, whatever its depth.
TEST(Gradient, OfRandomFormulas) {
  std::mt19937 random(3);
  double nodes = 0;
  for (int i = 0; i < 600; ++i) {
    const Expression expression = random_formula(random, i < 300 ? 1 + i % 4 : 5 + i % 2);
    if (i >= 300) nodes += expression.size / 300.0;
    expect_right(expression, 0.7, -0.4, 1e-6);
  }
  EXPECT_GE(nodes, 23);
}

// The graph that a reverse sweep needs is bounded by the formula's, so that none is refused.
TEST(Gradient, OfTheLargestFormulas) {
  for (const Operation operation : {Operation::minimum, Operation::multiply, Operation::divide}) {
    Expression chain = input("x");
    while (chain.size < max_nodes - 1) chain = apply(operation, chain, Expression(1 + 1e-3 * chain.size));
    const Gradients all = gradients(chain);
    EXPECT_LE(all.graph.size, reverse::max_swept);
    EXPECT_NE(all.find(Operation::input, "x"), nullptr);
  }
  Expression tower = input("x");
  while (tower.size < max_nodes) tower = silu(tower);
  EXPECT_LE(gradients(tower).graph.size, 7 * max_nodes);
}

// Each node once: what a sweep adds grows with the formula, not with the number of ways through it.
TEST(Gradient, IsLinearInTheGraph) {
  const auto nested = [](int depth) {
    Expression formula = input("x");
    for (int i = 0; i < depth; ++i) formula = silu(formula) * tanh(formula) + param("b");
    return formula;
  };
  const int at_4 = gradients(nested(4)).graph.size, at_8 = gradients(nested(8)).graph.size;
  EXPECT_LE(at_8 - at_4, at_4 + 4);
  EXPECT_LE(gradients(nested(16)).graph.size, 2 * at_8);
}

// What a kernel's backward starts from: all formulas at once, the slopes that come in as leaves.
TEST(Gradient, OfAllFormulasOfAVariant) {
  const Variant variant = variants::mamba2;
  reverse::Sweep sweep(variant.nodes);
  for (const Formula formula : {Formula::decay, Formula::write_scale})
    sweep.seed(variant.root(formula),
               sweep.leaf({.operation = Operation::scalar, .name = formula == Formula::decay ? "down" : "up"}));
  sweep.run();
  const auto value = [](const Leaf& leaf) {
    return leaf.view() == "down" ? 0.7 : leaf.view() == "up" ? -1.3 : leaf.view() == "dt" ? 0.4 : -0.2;
  };
  int checked = 0;
  for (int i = 0; i < variant.nodes.size; ++i) {
    const Node& node = variant.nodes[i];
    if (!is_named(node.operation)) continue;
    const auto total = [&](double step) {
      const auto moved = [&](const Leaf& leaf) {
        return value(leaf) + (leaf.name == variant.nodes.leaf(node).name ? step : 0);
      };
      return 0.7 * evaluate(variant.formula(Formula::decay), moved) -
             1.3 * evaluate(variant.formula(Formula::write_scale), moved);
    };
    EXPECT_NEAR(evaluate(sweep.graph(), sweep.slope(i), value), (total(1e-5) - total(-1e-5)) / 2e-5, 1e-8);
    ++checked;
  }
  EXPECT_EQ(checked, 3);
}

TEST(Gradient, OfTheCatalogue) {
  for (const Variant& variant : catalogue()) {
    const auto value = [](const Leaf& leaf) { return leaf.operation == Operation::parameter ? 0.3 : 0.8; };
    for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
      for (const Gradients all = gradients(formula); const Gradients::Entry& entry : all) {
        if (!is_named(entry.leaf.operation)) continue;
        const auto shifted = [&](double h) {
          return evaluate(formula,
                          [&](const Leaf& leaf) { return value(leaf) + (leaf.name == entry.leaf.name ? h : 0); });
        };
        EXPECT_NEAR(value_of(all, entry.leaf, value), (shifted(1e-5) - shifted(-1e-5)) / 2e-5, 1e-8)
            << variant.name.text << " " << slot.name;
      }
    });
  }
}

// Simple results stay simple: zeros and ones are gone.
constexpr auto x = input("x"), y = input("y");
constexpr Expression gradient(const Expression& formula, const Expression& of) {
  const Gradients all = gradients(formula);
  const Gradients::Entry* entry = all.find(leaf_in(of).operation, leaf_in(of).name);
  return entry == nullptr || entry->node < 0 ? Expression(0) : Expression(all.graph, entry->node);
}
static_assert(gradient(x, x) == Expression(1) && gradient(y, x) == Expression(0));
static_assert(gradient(3 * x + y, x) == Expression(3));
static_assert(gradient(log_sigmoid(x) / 16, x) == sigmoid(-x) / 16);
static_assert(gradient(exp(x), x) == exp(x));
static_assert(gradient(step(x), x) == Expression(0));
static_assert(gradient(sin(x), x) == cos(x) && gradient(cos(x), x) == -sin(x));
static_assert(gradient(x * y, y) == x);
static_assert(gradient(key() * decay(), decay()) == key());
static_assert(gradient(element() * element(), element()).size == 2);  // e + e

// A tensor has one gradient, however its axes are written.
static_assert(gradients(input("x") * input("x", key_axis)).size == 1);
static_assert(gradient(input("x") + input("x", key_axis), x) == Expression(2));
static_assert(gradients(Expression(2)).size == 0);

// Slopes reach their limits, too.
TEST(Gradient, OfFunctionsAtTheirEnds) {
  const double infinity = math::infinity;
  struct Ends {
    Expression formula;
    double below, above;
  };
  for (const auto& [formula, below, above] : {Ends{silu(x), 0, 1}, Ends{sigmoid(x), 0, 0}, Ends{log_sigmoid(x), 1, 0},
                                              Ends{softplus(x), 0, 1}, Ends{tanh(x), 0, 0}, Ends{relu(x), 0, 1}}) {
    const auto slope = [&, &each = formula](double at) {
      return evaluate(gradient(each, x), {.named = {{"x", at}, {"y", 0}}});
    };
    for (const double at : {infinity, 1e300}) {
      EXPECT_EQ(slope(-at), below) << to_string(formula);
      EXPECT_EQ(slope(at), above) << to_string(formula);
    }
  }
}

// Where the slope jumps.
constexpr double slope(const Expression& formula, const Expression& of, double at_x, double at_y = 0) {
  return evaluate(gradient(formula, of), {.named = {{"x", at_x}, {"y", at_y}}});
}
static_assert(slope(relu(x), x, 0) == 0 && slope(max(x, 0), x, 0) == 0 && slope(max(0, x), x, 0) == 1);
static_assert(slope(min(x, 0), x, 0) == 0 && slope(min(x, y), y, 2, 2) == 1 && slope(max(x, y), x, 2, 1) == 1);

}  // namespace
