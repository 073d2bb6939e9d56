// SPDX-License-Identifier: MIT
// Which divisions, logarithms and roots may leave their domain, and the guard that is named.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include <rankone/dsl.hpp>

#include "codegen/guards.hpp"

namespace rankone {
namespace {

std::vector<MissingGuard> guards_of_key(const Expression& formula) {
  return missing_guards(variant("guarded").key(key() * formula));
}
std::string only(const Expression& formula) {
  const std::vector<MissingGuard> found = guards_of_key(formula);
  if (found.size() != 1) return std::to_string(found.size()) + " guards";
  return found.front().operation + ": " + found.front().reason + "; " + found.front().guard;
}

TEST(Guards, NameTheOperandAndWhatKeepsItInside) {
  EXPECT_EQ(only(log(input("x") - 1)), "log(x - 1): x - 1 may be below 0; log(max(x - 1, 0))");
  EXPECT_EQ(only(sqrt(tanh(input("x")))), "sqrt(tanh(x)): tanh(x) may be below 0; sqrt(max(tanh(x), 0))");
  EXPECT_EQ(only(1 / input("x")), "1 / x: x may be 0; / max(x, 1e-6)");
  EXPECT_EQ(only(1 / exp(input("x"))), "1 / exp(x): exp(x) may be 0; / max(exp(x), 1e-6)");
  EXPECT_EQ(only(1 / -square(input("x"))), "1 / -square(x): -square(x) may be 0; / min(-square(x), -1e-6)");
}

TEST(Guards, AreNotAskedForWhereBoundsSuffice) {
  for (const Expression& formula :
       {log(sigmoid(input("x"))), log(relu(input("x"))), sqrt(square(input("x"))), 1 / (1 + exp(input("x"))),
        1 / (-1 - square(input("x"))), 1 / (1 + input("x") * input("x")), l2_normalize(key()), rms_normalize(key()),
        softmax(input("x")), log(max(input("x"), 0)), 1 / max(input("x"), 1e-6), 1 / heads()})
    EXPECT_EQ(only(formula), "0 guards");
}

TEST(Guards, OfTheCatalogueAreKnown) {
  // What they read is within bounds that only their papers say; or what normalises is a sum of scores that are at least 0,
  // each, though their terms are not.
  const std::map<std::string, std::size_t> guards{
      {"hgrn2", 1}, {"lightning", 1}, {"cosformer", 2}, {"based", 1}, {"rebased", 1}};
  for (const Variant& variant : catalogue()) {
    const auto found = guards.find(std::string(variant.name.view()));
    EXPECT_EQ(missing_guards(variant).size(), found == guards.end() ? 0u : found->second) << variant.name.view();
  }
}

// A normaliser is at least 0 where all that is summed is.
TEST(Guards, KnowWhatANormaliserIs) {
  const auto count = [](const Variant& variant) { return missing_guards(variant.normalised(1e-6)).size(); };
  const Variant mapped = variant("mapped").feature_map(exp(element()));
  EXPECT_EQ(count(mapped), 0u);
  EXPECT_EQ(count(mapped.exclusive().write_scale(sigmoid(input("b")))), 0u);
  EXPECT_EQ(count(mapped.write_lagged(sigmoid(input("l")))), 0u);
  EXPECT_EQ(count(mapped.bonus(square(param("u")))), 0u);
  EXPECT_EQ(count(mapped.key(key() + square(input("b")))), 0u);
  EXPECT_EQ(count(variant("plain")), 1u);
  EXPECT_EQ(count(mapped.query(-query())), 1u);
  EXPECT_EQ(count(mapped.key(key() - 1)), 1u);
  EXPECT_EQ(count(mapped.write_scale(input("b"))), 1u);
  EXPECT_EQ(count(mapped.write_lagged(input("l"))), 1u);
  EXPECT_EQ(count(mapped.bonus(param("u"))), 1u);
  EXPECT_EQ(count(mapped.erase(sigmoid(input("b")))), 1u);
  EXPECT_EQ(count(mapped.scale(-1)), 1u);
}

}  // namespace
}  // namespace rankone
