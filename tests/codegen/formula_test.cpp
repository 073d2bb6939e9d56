// SPDX-License-Identifier: MIT
// Formulas: what they mean, how they print, and what is said of wrong ones.
#include "codegen/formula.hpp"

#include <cmath>

#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

// Read and printed again.
std::string echo(std::string_view text) { return formula_text(parse_formula(text)); }

double value_of(std::string_view text) { return evaluate(parse_formula(text)); }

TEST(Formula, FollowsTheRulesOfArithmetic) {
  EXPECT_EQ(value_of("1 + 2 * 3"), 7);
  EXPECT_EQ(value_of("(1 + 2) * 3"), 9);
  EXPECT_EQ(value_of("10 - 4 - 3"), 3);
  EXPECT_EQ(value_of("10 - (4 - 3)"), 9);
  EXPECT_EQ(value_of("16 / 4 / 2"), 2);
  EXPECT_EQ(value_of("-2 * -3"), 6);
  EXPECT_EQ(value_of("--3"), 3);
  EXPECT_EQ(value_of(".5 + 1e1"), 10.5);
  EXPECT_EQ(value_of("min(1, 2) + max(1, 2) * square(3)"), 19);
  EXPECT_DOUBLE_EQ(value_of("log(exp(2))"), 2);
  EXPECT_EQ(value_of("s = 2 + 1; t = s * s; t - s"), 6);
}

TEST(Formula, PrintsWithoutNeedlessParentheses) {
  EXPECT_EQ(echo("( (input(x))+(param(b)) )"), "input(x) + param(b)");
  EXPECT_EQ(echo("log_sigmoid(input(\"x\") + param(bias))/16"), "log_sigmoid(input(x) + param(bias)) / 16");
  EXPECT_EQ(echo("1-(2-3)"), "1 - (2 - 3)");
  EXPECT_EQ(echo("(1-2)-3"), "1 - 2 - 3");
  EXPECT_EQ(echo("2*(3/4)"), "2 * (3 / 4)");
  EXPECT_EQ(echo("-(input(x) * 2)"), "-(input(x) * 2)");
  EXPECT_EQ(echo("-(2)"), "-(2)");
  EXPECT_EQ(echo("- - input(x)"), "-(-input(x))");
  EXPECT_EQ(echo("input(x, H|K) * param(p, HV)"), "input(x, H | K) * param(p, HV)");
  EXPECT_EQ(echo("head() / heads() + position() * scalar(layer)"), "head() / heads() + position() * scalar(layer)");
  EXPECT_EQ(echo("0.1 + 1e300"), "0.1 + 1e+300");
}

TEST(Formula, BindsWhatStandsTwice) {
  EXPECT_EQ(echo("sigmoid(input(x)) * (1 - sigmoid(input(x)))"), "t1 = sigmoid(input(x)); t1 * (1 - t1)");
  EXPECT_EQ(echo("input(t1) + exp(input(t1)) * exp(input(t1))"), "t2 = exp(input(t1)); input(t1) + t2 * t2");
  const auto doublings = [](int n) {
    std::string text = "a0 = input(x);";
    for (int i = 1; i <= n; ++i)
      text += "a" + std::to_string(i) + " = a" + std::to_string(i - 1) + " + a" + std::to_string(i - 1) + "; ";
    return text + "a" + std::to_string(n);
  };
  EXPECT_LT(echo(doublings(10)).size(), 200u);
  EXPECT_LT(to_string(parse_formula(doublings(200))).size(), 200u * 20);
}

TEST(Formula, ReadsBackAsTheSameGraph) {
  for (const char* text :
       {"1", "-1", "input(x)", "s = tanh(input(x)); s * s - (1 - s) / (2 + s)", "max(min(input(x), 1), -(1)) / 3",
        "silu(element()) + relu(element())", "sqrt(square(key()) + softplus(decay()))", "step(input(x, HV)) * 0.125"}) {
    const Expression once = parse_formula(text), twice = parse_formula(formula_text(once));
    ASSERT_EQ(once.size, twice.size) << text;
    EXPECT_TRUE(once == twice) << text;
    EXPECT_EQ(formula_text(once), formula_text(twice));
  }
}

TEST(Formula, AgreesWithTheBuilders) {
  const Expression built = log_sigmoid(input("x") + param("bias")) / 16;
  const Expression parsed = parse_formula("log_sigmoid(input(x) + param(bias)) / 16");
  ASSERT_EQ(built.size, parsed.size);
  EXPECT_TRUE(std::equal(built.begin(), built.end(), parsed.begin()));
}

TEST(Formula, HasACaptionForComments) {
  EXPECT_EQ(to_string(parse_formula("log_sigmoid(input(x) + param(bias)) / 16")), "log_sigmoid(x + bias) / 16");
  EXPECT_EQ(to_string(parse_formula("1 - decay()")), "1 - decay");
}

struct Refusal {
  const char* text;
  std::vector<const char*> said;
};

TEST(Formula, SaysWhereAndWhatIsAccepted) {
  const Refusal refusals[] = {{"", {"a value is missing", "the end of the formula", "position 1"}},
                              {"1 +", {"a value is missing", "position 4"}},
                              {"exp(1", {"exp is not closed", "')'"}},
                              {"(1", {"the parenthesis is not closed"}},
                              {"1 2", {"goes on after its end", "'2' at position 3"}},
                              {"tan(1)", {"unknown function", "'tan' at position 1", "log_sigmoid", "softplus"}},
                              {"1 + x", {"unknown name", "'x' at position 5", "input(NAME)"}},
                              {"input()", {"a name is missing", "position 7"}},
                              {"input(x, T)", {"unknown axis", "'T'", "H, HV, K, M, V"}},
                              {"input(a123456789012345678901234567890123456789)", {"a name is too long", "31"}},
                              {"min(1)", {"min takes two operands", "','"}},
                              {"1e999", {"a number is out of range"}},
                              {"a = 1; a = 2; a", {"a name is bound twice"}},
                              {"a = input(x); b = a; input(y)", {"nothing reads it", "'b' at position 15"}},
                              {"a = 1 a", {"the binding is not closed", "';'"}},
                              {"1 = 2", {"goes on after its end", "'= 2'"}},
                              {"exp", {"unknown name"}},
                              {"1 \x01", {"goes on after its end"}}};
  for (const Refusal& refusal : refusals) {
    const std::string sentence = refusal_of([&] { parse_formula(refusal.text, "here"); });
    EXPECT_TRUE(sentence.starts_with("here: ")) << sentence;
    for (const char* part : refusal.said) EXPECT_TRUE(holds(sentence, part)) << refusal.text << "\n" << sentence;
  }
}

TEST(Formula, StandsHugeInput) {
  EXPECT_TRUE(holds(refusal_of([] { parse_formula(std::string(1 << 20, '(')); }), "nested too deeply"));
  EXPECT_TRUE(holds(refusal_of([] { parse_formula(std::string(1 << 20, '-')); }), "nested too deeply"));
  std::string sum = "1";
  for (int i = 2; i < 300; ++i) sum += " + " + std::to_string(i);
  EXPECT_TRUE(holds(refusal_of([&] { parse_formula(sum); }), "at most 256"));
}

}  // namespace
}  // namespace rankone
