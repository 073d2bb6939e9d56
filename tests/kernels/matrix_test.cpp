// SPDX-License-Identifier: MIT
// Every catalogue variant, level and type on the CPU device: lengths around a chunk, packings, heads, strides of K and V.
#include <cstdlib>
#include <memory>

#include "runtime/backend.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

bool whole_matrix() { return std::getenv("RANKONE_TEST_ALL") != nullptr; }

class Matrix : public testing::TestWithParam<Case> {
 protected:
  // Lengths around the chunk, then one packing with an empty first, middle and last sequence, each under another
  // schedule seed.
  void run(int key_dim, int value_dim, int chunk, std::uint64_t seed) {
    const Case& c = GetParam();
    const CompileOptions options = options_of(c, key_dim, value_dim, chunk);
    for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{chunk - 1}, std::int64_t{chunk}, std::int64_t{chunk + 1},
                                      std::int64_t{3 * chunk + 5}}) {
      one(options, {.batch = 2, .tokens = tokens}, false, ++seed);
    }
    one(options, {.batch = 1, .tokens = 3 * chunk + 5}, true, ++seed);
  }

 private:
  void one(const CompileOptions& options, Dims dims, bool packed, std::uint64_t seed) {
    const Case& c = GetParam();
    dims.heads = 1;
    dims.value_heads = 3;
    dims.key_dim = options.key_dim;
    dims.value_dim = options.value_dim;
    dims.sequences = dims.batch;
    Problem problem = random_problem(*c.variant, options, dims, {.seed = seed, .packed = packed});
    spread_gates(problem, seed);
    const Operator op = compile(*c.variant, options, cpu_device(seed));
    expect_right(op, problem, c.name() + " " + to_string(problem.dims) + (packed ? " packed" : "") + " seed " +
                                  std::to_string(seed));
  }
};

TEST_P(Matrix, AgreesWithTheRecurrence) { run(48, 40, 32, 10); }

TEST_P(Matrix, AgreesAtOddSizes) {
  if (!whole_matrix()) GTEST_SKIP() << "part of the whole matrix: RANKONE_TEST_ALL=1, or scripts/test --all";
  run(21, 75, 16, 20);
  run(64, 64, 64, 30);
}

TEST_P(Matrix, AgreesAtLargeSizes) {
  if (!whole_matrix()) GTEST_SKIP() << "part of the whole matrix: RANKONE_TEST_ALL=1, or scripts/test --all";
  run(128, 128, 128, 40);
  run(256, 32, 32, 50);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Matrix, testing::ValuesIn(catalogue_cases()),
                         [](const auto& info) { return info.param.name(); });

}  // namespace
}  // namespace rankone::test
