// SPDX-License-Identifier: MIT
// Every catalogue variant, level and type on the CPU device: lengths around a chunk, packings, heads,
// strides of K and V.
#include <cstdlib>

#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

class Matrix : public CaseTest {
 protected:
  // Each run under another schedule seed.
  void run(int key_dim, int value_dim, int chunk, std::uint64_t seed) {
    const auto device_of = [](std::uint64_t each) { return cpu_device(each); };
    expect_right_at_all_lengths(GetParam(), device_of, key_dim, value_dim, chunk, seed);
  }
};

TEST_P(Matrix, AgreesWithTheRecurrence) { run(48, 40, 32, 10); }

TEST_P(Matrix, AgreesAtOddSizes) {
  RANKONE_SKIP_UNLESS_WHOLE();
  run(21, 75, 16, 20);
  run(64, 64, 64, 30);
}

TEST_P(Matrix, AgreesAtLargeSizes) {
  RANKONE_SKIP_UNLESS_WHOLE();
  run(128, 128, 64, 40);
  run(256, 32, 32, 50);
  run(48, 64, 128, 60);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Matrix, testing::ValuesIn(catalogue_cases()),
                         [](const auto& info) { return info.param.name(); });

}  // namespace
}  // namespace rankone::test
