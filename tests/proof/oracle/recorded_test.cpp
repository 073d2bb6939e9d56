// SPDX-License-Identifier: MIT
// The oracle against a float64 result recorded by another program, on the activations of a trained model.
#include <gtest/gtest.h>

#include <rankone/dsl.hpp>

#include <rankone/safetensors.hpp>
#include "proof/oracle/compare.hpp"
#include "proof/oracle/oracle.hpp"
#include "tests/proof/oracle/array.hpp"

using namespace rankone;

namespace {

TEST(Recorded, ActivationsOfATrainedModel) {
  const auto file = SafetensorsFile::open(RANKONE_SOURCE_DIR "/examples/data/gla-text-activations.safetensors");
  std::vector<std::vector<std::byte>> memory;
  const auto tensor = [&](const char* name) {
    const SafetensorsEntry* entry = file.find(name);
    EXPECT_NE(entry, nullptr) << name;
    memory.emplace_back(file.data(*entry), file.data(*entry) + entry->bytes);
    return Tensor(memory.back().data(), *entry->type, entry->shape);
  };
  const Tensor recorded = tensor("o_float64");
  Array o({1, 1024, 2, 64});
  ForwardArguments arguments{.q = tensor("q"), .k = tensor("k"), .v = tensor("v"), .inputs = {{"x", tensor("x")}}};
  arguments.o = o.tensor();
  oracle_forward(variants::gla_sigmoid, {.key_dim = 32, .value_dim = 64}, arguments);
  const Comparison comparison = compare(o.tensor(), recorded, 1e-12);
  EXPECT_TRUE(comparison.ok) << comparison.relative_error << " " << comparison.worst_row;
}

}  // namespace
