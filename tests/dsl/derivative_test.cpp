// SPDX-License-Identifier: MIT
// Derivatives against finite differences, and their conventions where a slope jumps.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include <rankone/dsl.hpp>

using namespace rankone;

namespace {

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

void expect_right(const Expression& expression, double x, double y) {
  for (const bool of_x : {true, false}) {
    const Expression derivative = differentiate(expression, of_x ? input("x") : input("y"));
    const double expected = finite_difference(expression, x, y, of_x);
    EXPECT_NEAR(at(derivative, x, y), expected, 1e-7 * (1 + std::abs(expected)))
        << to_string(derivative) << "  =  d/d" << (of_x ? "x" : "y") << " " << to_string(expression) << "  at x=" << x
        << ", y=" << y;
  }
}

TEST(Derivative, OfEveryOperation) {
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

TEST(Derivative, OfRandomFormulas) {
  std::mt19937 random(3);
  int tried = 0;
  for (int i = 0; i < 300; ++i) {
    const Expression expression = random_formula(random, 1 + i % 3);
    try {
      expect_right(expression, 0.7, -0.4);
      ++tried;
    } catch (const Error&) {  // a derivative beyond the largest graph
    }
  }
  EXPECT_GT(tried, 200);
}

TEST(Derivative, OfTheCatalogue) {
  for (const Variant& variant : catalogue()) {
    const auto value = [](const Node& node) { return node.operation == Operation::parameter ? 0.3 : 0.8; };
    for (const Expression* expression : {&variant.decay_.log_decay, &variant.write_scale_}) {
      const auto check = [&](const Leaves& leaves, auto leaf_of) {
        for (const Leaf& leaf : leaves) {
          const auto shifted = [&](double h) {
            return evaluate(*expression,
                            [&](const Node& node) { return value(node) + (node.name == leaf.name ? h : 0); });
          };
          const double expected = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
          EXPECT_NEAR(evaluate(differentiate(*expression, leaf_of(leaf.name)), value), expected, 1e-8)
              << variant.name.text;
        }
      };
      if (expression->empty()) continue;
      check(inputs_of(variant), [](Name name) { return input(name); });
      check(parameters_of(variant), [](Name name) { return param(name); });
      check(scalars_of(variant), [](Name name) { return scalar(name); });
    }
  }
}

// Simple results stay simple: zeros and ones are gone.
constexpr auto x = input("x"), y = input("y");
static_assert(differentiate(x, x) == Expression(1) && differentiate(y, x) == Expression(0));
static_assert(differentiate(3 * x + y, x) == Expression(3));
static_assert(differentiate(log_sigmoid(x) / 16, x) == sigmoid(-x) / 16);
static_assert(differentiate(exp(x), x) == exp(x));
static_assert(differentiate(step(x), x) == Expression(0));
static_assert(differentiate(x * y, y) == x);
static_assert(differentiate(key() * decay(), decay()) == key());
static_assert(differentiate(element() * element(), element()).size == 2);  // e + e

// Where the slope jumps.
static_assert(evaluate(differentiate(relu(x), x), {.named = {{"x", 0}}}) == 0);
static_assert(evaluate(differentiate(max(x, 0), x), {.named = {{"x", 0}}}) == 0);
static_assert(evaluate(differentiate(max(0, x), x), {.named = {{"x", 0}}}) == 1);
static_assert(evaluate(differentiate(min(x, 0), x), {.named = {{"x", 0}}}) == 0);
static_assert(evaluate(differentiate(min(x, y), y), {.named = {{"x", 2}, {"y", 2}}}) == 1);
static_assert(evaluate(differentiate(max(x, y), x), {.named = {{"x", 2}, {"y", 1}}}) == 1);

TEST(Derivative, IsWithRespectToOneLeaf) {
  EXPECT_THROW((void)differentiate(x * y, x * y), Error);
  EXPECT_THROW((void)differentiate(x * y, Expression(2)), Error);
}

}  // namespace
