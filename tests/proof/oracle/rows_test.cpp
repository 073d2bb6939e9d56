// SPDX-License-Identifier: MIT
// Sums and maxima over keys: what a formula does to a row equals what is done to it before the call.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <rankone/dsl.hpp>

#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

constexpr int T = 5, K = 6, V = 3;
using Row = std::vector<double>;

double sum(const Row& row, const std::function<double(double)>& term) {
  double total = 0;
  for (const double x : row) total += term(x);
  return total;
}
double squared(double x) { return x * x; }

Row l2(Row row) {
  const double length = std::sqrt(sum(row, squared) + 1e-6);
  for (double& x : row) x /= length;
  return row;
}
Row rms(Row row) {
  const double root = std::sqrt(sum(row, squared) / K + 1e-6);
  for (double& x : row) x /= root;
  return row;
}
Row soft(Row row) {
  const double all = sum(row, [](double x) { return std::exp(x); });
  for (double& x : row) x = std::exp(x) / all;
  return row;
}
Row less_the_largest(Row row) {
  const double most = *std::max_element(row.begin(), row.end());
  for (double& x : row) x -= most;
  return row;
}

// With as many columns as the function makes.
Array mapped(const Array& rows, const std::function<Row(Row)>& function) {
  Array result({1, T, 1, 0});
  for (std::size_t at = 0; at < rows.values.size(); at += K) {
    const auto from = rows.values.begin() + static_cast<std::ptrdiff_t>(at);
    const Row row = function(Row(from, from + K));
    result.values.insert(result.values.end(), row.begin(), row.end());
    result.shape[3] = static_cast<std::int64_t>(row.size());
  }
  return result;
}

Array output(const Variant& variant, Array q, Array k, Array v, Array beta) {
  Array o({1, T, 1, V});
  oracle_forward(
      variant, {},
      {.q = q.tensor(), .k = k.tensor(), .v = v.tensor(), .inputs = {{"beta", beta.tensor()}}, .o = o.tensor()});
  return o;
}

void expect_equal(const Array& a, const Array& b) {
  ASSERT_EQ(a.values.size(), b.values.size());
  for (std::size_t i = 0; i < a.values.size(); ++i) EXPECT_NEAR(a.values[i], b.values[i], 1e-12) << i;
}

constexpr Variant plain = variant("plain").erase(input("beta"));

struct Map {
  const char* name;
  Variant with;
  Row (*function)(Row);
};

TEST(Rows, FeatureMapsSeeAllKeysOfARow) {
  std::mt19937 source{3};
  const Array q = Array::random({1, T, 1, K}, source), k = Array::random({1, T, 1, K}, source),
              v = Array::random({1, T, 1, V}, source), beta = Array::random({1, T, 1}, source, 0, 1);
  for (const Map& map :
       {Map{"l2", plain.feature_map(l2_normalize), l2}, Map{"rms", plain.feature_map(rms_normalize), rms},
        Map{"softmax", plain.feature_map(softmax), soft},
        Map{"max", plain.feature_map(element() - key_max(element())), less_the_largest}}) {
    SCOPED_TRACE(map.name);
    expect_equal(output(map.with, q, k, v, beta),
                 output(plain, mapped(q, map.function), mapped(k, map.function), v, beta));
  }
}

Row joined(Row a, const Row& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Row products(const Row& row) {
  Row all;
  for (const double x : row)
    for (const double y : row) all.push_back(x * y + y);
  return all;
}

TEST(Rows, FeatureMapsMayMakeMoreOfThem) {
  std::mt19937 source{5};
  const Array q = Array::random({1, T, 1, K}, source), k = Array::random({1, T, 1, K}, source),
              v = Array::random({1, T, 1, V}, source), beta = Array::random({1, T, 1}, source, 0, 0.1);
  const Variant scaled = plain.scale(0.5);  // of itself it is K's
  struct Wider {
    Expression map;
    std::function<Row(Row)> function;
  };
  for (const Wider& each : {Wider{element() * other() + other(), products},
                            Wider{concatenate(softmax(element()), 2, l2_normalize(element())),
                                  [](const Row& row) { return joined(joined(soft(row), {2}), l2(row)); }},
                            Wider{concatenate(keys(), element() * other() + other(), element()),
                                  [](const Row& row) { return joined(joined({K}, products(row)), row); }}}) {
    SCOPED_TRACE(to_string(each.map));
    expect_equal(output(scaled.feature_map(each.map), q, k, v, beta),
                 output(scaled, mapped(q, each.function), mapped(k, each.function), v, beta));
  }
}

TEST(Rows, FormulasOfKeysAndQueriesSeeThemToo) {
  std::mt19937 source{4};
  const Array q = Array::random({1, T, 1, K}, source), k = Array::random({1, T, 1, K}, source),
              v = Array::random({1, T, 1, V}, source), beta = Array::random({1, T, 1}, source, 0, 1);
  const Variant both = plain.key(l2_normalize(key())).query(softmax(query()));
  expect_equal(output(both, q, k, v, beta), output(plain, mapped(q, soft), mapped(k, l2), v, beta));
}

}  // namespace
