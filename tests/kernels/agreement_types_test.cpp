// SPDX-License-Identifier: MIT
// Levels and families against each other, and the same bits again, in every type, packed, with two value heads a key head.
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <rankone/rankone.hpp>

#include "proof/bounds.hpp"
#include "proof/launch.hpp"
#include "proof/oracle/compare.hpp"
#include "runtime/convert.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

constexpr int dim = 64;

struct Place {
  Family family;
  Level level;
};

class AgreementOfTypes : public testing::TestWithParam<std::tuple<const Variant*, Numbers>> {
 protected:
  const Variant& variant = *std::get<0>(GetParam());
  const Numbers numbers = std::get<1>(GetParam());
  CompileOptions options{.key_dim = dim, .value_dim = dim, .dtype = numbers.type, .precision = numbers.precision};
  Problem problem = random_problem(
      variant, options,
      {.batch = 1, .tokens = 200, .heads = 1, .value_heads = 2, .key_dim = dim, .value_dim = dim, .sequences = 1},
      {.seed = 5, .packed = true});

  std::vector<Place> places() const {
    std::vector<Place> all = {{Family::portable, Level::serial}, {Family::portable, Level::chunk}};
    if (numbers.type != dtype::f32)
      all.push_back({Family::hopper, Level::serial}), all.push_back({Family::hopper, Level::segment});
    return all;
  }
  std::vector<HostTensor> outputs_of(const Place& place, std::uint64_t seed, const Problem& given) const {
    CompileOptions pinned = options;
    pinned.pins = {.family = place.family, .level = place.level};
    Launch launch(compile(variant, pinned, cpu_device({.seed = seed, .multiprocessors = 2})), given, true);
    launch.poison();
    launch.run();
    return launch.outputs();
  }
};

// Two right results differ by no more than what both may be off by.
TEST_P(AgreementOfTypes, LevelsAndFamiliesAndBits) {
  std::vector<HostTensor> first;
  for (const Place& place : places()) {
    SCOPED_TRACE(std::string(place.family == Family::hopper ? "hopper " : "portable ") + numbers.name);
    std::vector<HostTensor> found = outputs_of(place, 1, problem);
    const std::vector<HostTensor> again = outputs_of(place, 6, problem);
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(found[i].bytes, again[i].bytes) << found[i].name << ", another schedule of threads";
    if (first.empty()) first = found;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double bound = std::sqrt(2.0) * error_bound(problem, found[i].name, false);
      const Comparison comparison = compare(found[i].view(), first[i].view(), bound);
      EXPECT_LE(comparison.relative_error, bound) << found[i].name;
    }
  }
}

TEST_P(AgreementOfTypes, OneKeyChangesBits) {
  Problem other = problem;
  HostTensor& key = *other.find("k");
  store(key.bytes.data(), key.type, 0, 1 + load(key.bytes.data(), key.type, 0));
  const Place place{Family::portable, Level::serial};
  EXPECT_NE(outputs_of(place, 1, problem)[0].bytes, outputs_of(place, 1, other)[0].bytes);
}

INSTANTIATE_TEST_SUITE_P(Decays, AgreementOfTypes,
                         testing::Combine(testing::Values(&variants::linear, &variants::simple_gla, &variants::gla),
                                          testing::ValuesIn(all_numbers)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)->name.view()) + "_" +
                                  std::get<1>(info.param).name;
                         });

}  // namespace
}  // namespace rankone::test
