// SPDX-License-Identifier: MIT
// Expressions: how they are built and what they are worth.
#include <gtest/gtest.h>

#include <limits>

#include <rankone/dsl.hpp>

using namespace rankone;

namespace {

// Numbers and expressions mix.
static_assert(evaluate(Expression(3) / 4 - 1) == -0.25);
static_assert(evaluate(2 * input("x") + 1, {.named = {{"x", 3}}}) == 7);
static_assert(evaluate(1 - input("x") / 2, {.named = {{"x", 3}}}) == -0.5);
static_assert(evaluate(-(input("x") - param("y") * scalar("z")), {.named = {{"x", 1}, {"y", 2}, {"z", 3}}}) == 5);
static_assert(evaluate(min(input("x"), 2) + max(5, input("x")), {.named = {{"x", 3}}}) == 7);

// Every leaf has its own value.
static_assert(evaluate(element(), {.element = 2}) == 2);
static_assert(evaluate(key() * decay(), {.key = 3, .decay = 0.5}) == 1.5);
static_assert(evaluate(head() + heads() * position(), {.head = 1, .heads = 4, .position = 10}) == 41);
static_assert(evaluate(input("x"), [](const Leaf& leaf) { return leaf.name == Name("x") ? 8.0 : 0.0; }) == 8);

// Functions, at points where they are exact.
static_assert(evaluate(exp(Expression(0))) == 1 && evaluate(log(Expression(1))) == 0);
static_assert(evaluate(sigmoid(Expression(0))) == 0.5 && evaluate(tanh(Expression(0))) == 0);
static_assert(evaluate(silu(Expression(0))) == 0 && evaluate(sqrt(Expression(9))) == 3);
static_assert(evaluate(square(Expression(-3))) == 9);
static_assert(evaluate(relu(Expression(-3))) == 0 && evaluate(relu(Expression(3))) == 3);
static_assert(evaluate(step(Expression(-3))) == 0 && evaluate(step(Expression(0))) == 0 &&
              evaluate(step(Expression(3))) == 1);
static_assert(evaluate(Expression(1) / 0) == math::infinity && evaluate(Expression(-1) / 0) == -math::infinity);

// Tails neither overflow nor cancel.
static_assert(evaluate(log_sigmoid(Expression(-1000))) == -1000 && evaluate(log_sigmoid(Expression(1000))) == 0);
static_assert(evaluate(softplus(Expression(1000))) == 1000 && evaluate(softplus(Expression(-1000))) == 0);
static_assert(evaluate(sigmoid(Expression(-1000))) == 0 && evaluate(sigmoid(Expression(1000))) == 1);
static_assert(evaluate(tanh(Expression(-1000))) == -1 && evaluate(tanh(Expression(1000))) == 1);
static_assert(evaluate(exp(Expression(-1000))) == 0);

// Equal nodes are shared, others are not.
static_assert((input("x") + input("x")).size == 2);
static_assert((input("x") + param("x")).size == 3);
static_assert((input("x") + input("x", key_axis)).size == 3);
static_assert((exp(input("x")) * exp(input("x"))).size == 3);
static_assert((softplus(input("x") + param("b")) * softplus(input("x") + param("b"))).size == 5);
static_assert((exp(input("x")) + 1).root().operation == Operation::add);

// A graph of exactly the largest size.
constexpr Expression tower(int nodes) {
  Expression result = input("x");
  for (int i = 1; i < nodes; ++i) result = tanh(result);
  return result;
}
static_assert(tower(max_nodes).size == max_nodes);

static_assert(reads(exp(input("x")), Operation::input) && !reads(exp(input("x")), Operation::key));
static_assert((head_axis | key_axis).has(Axes::key) && !(head_axis | key_axis).has(Axes::value_head));
static_assert(is_identifier("a_1") && is_identifier("Ab"));
static_assert(!is_identifier("") && !is_identifier("_a") && !is_identifier("1a") && !is_identifier("a-b") &&
              !is_identifier("a b"));

TEST(Expression, RefusesWhatHasNoValue) {
  EXPECT_THROW((void)evaluate(input("x")), Error);
  EXPECT_THROW((void)evaluate(Expression()), Error);
  EXPECT_THROW((void)tower(max_nodes + 1), Error);
  try {
    (void)evaluate(input("x") + input("y"), {.named = {{"x", 1}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.given(), "'y'");
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  }
}

TEST(Expression, PassesNaNThrough) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const OperationTraits& operation : operation_traits) {
    if (operation.operands == 0 || operation.operation == Operation::step) continue;
    EXPECT_TRUE(std::isnan(evaluate(operation.operation, nan, 1))) << operation.name;
    EXPECT_TRUE(operation.operands == 1 || std::isnan(evaluate(operation.operation, 1, nan))) << operation.name;
  }
}

}  // namespace
