// SPDX-License-Identifier: MIT
// What the kernel tests share: random problems with harsh gates, and a run against the recurrence in float64.
#pragma once

#include <cmath>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rankone/rankone.hpp>

#include "codegen/bounds.hpp"
#include "codegen/family.hpp"
#include "proof/draw.hpp"
#include "proof/problem.hpp"
#include "proof/verify.hpp"
#include "runtime/convert.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone::test {

struct Numbers {
  const char* name;
  rankone::dtype type;
  Precision precision;
};
inline constexpr Numbers all_numbers[] = {{"bf16", dtype::bf16, Precision::tf32},
                                          {"f16", dtype::f16, Precision::tf32},
                                          {"tf32", dtype::f32, Precision::tf32},
                                          {"f32", dtype::f32, Precision::f32}};

struct Case {
  const Variant* variant;
  Level level;
  Numbers numbers;
  Family family = Family::portable;
  int cluster = 1;
  bool prepared = false;
  bool is_short = true;  // runs without RANKONE_TEST_ALL, where a test tells apart

  std::string name() const {
    const char* levels[] = {"_automatic_", "_serial_", "_chunk_", "_segment_"};
    return std::string(variant->name.view()) + levels[static_cast<int>(level)] + numbers.name +
           (cluster > 1 ? "_cluster_of_" + std::to_string(cluster) : "") + (prepared ? "_prepared" : "");
  }
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name(); }
};

// Tests of which the short run has those that are short.
class CaseTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!GetParam().is_short) RANKONE_SKIP_UNLESS_WHOLE();
  }
};

// Of the numbers that a variant is tried in, given side by side, the short run has one, and of the next variant the next; it
// has one of `every` variants.
inline std::vector<Case> numbers_in_turn(std::vector<Case> cases, std::ptrdiff_t every = 1) {
  std::ptrdiff_t turn = 0;
  for (auto first = cases.begin(); first != cases.end(); ++turn) {
    const auto next = std::find_if(first, cases.end(), [&](const Case& each) {
      return each.variant != first->variant || each.level != first->level;
    });
    const std::ptrdiff_t count = next - first;
    // A step more in each round, else a level would have every second of the numbers alone.
    for (auto each = first; each != next; ++each)
      each->is_short = turn % every == 0 && each - first == (turn / every + turn / every / count) % count;
    first = next;
  }
  return cases;
}

// Sums and maxima over keys, wherever they may stand.
inline constexpr Variant with_row_sums = variant("with_row_sums")
                                             .decay(per_key(log(softmax(input("x") + param("c"))) / 16))
                                             .feature_map(l2_normalize)
                                             .query(softmax(4 * query()))
                                             .key(rms_normalize(key() * (1 - decay())) / 8)
                                             .erase(sigmoid(input("b")))
                                             .checked();

// Those of the catalogue that a family has a form in chunks for.
inline std::vector<const Variant*> variants_in_chunks(const KernelFamily& family) {
  std::vector<const Variant*> variants;
  for (const Variant& variant : catalogue())
    if (part_beyond(variant, family.parts).empty()) variants.push_back(&variant);
  return variants;
}

inline std::vector<Case> catalogue_cases() {
  std::vector<Case> cases;
  for (const Variant* variant : variants_in_chunks(portable_family))
    for (const Level level : {Level::serial, Level::chunk}) {
      if (level == Level::chunk && variant->non_causal_) continue;  // no state of a chunk is read
      for (const Numbers& numbers : all_numbers) cases.push_back({variant, level, numbers});
    }
  return numbers_in_turn(cases);
}

constexpr Numbers bf16_numbers{"bf16", dtype::bf16, Precision::tf32};

// What the Hopper family serves.
inline std::vector<Case> hopper_cases(Level level) {
  std::vector<Case> cases;
  for (const Variant* variant : variants_in_chunks(hopper_family)) {
    if (level == Level::segment && variant->decays_by_value()) continue;  // of columns a segment hands on no sums
    for (const Numbers& numbers : all_numbers)
      if (numbers.type != dtype::f32 && (numbers.type != dtype::f16 || why_beyond_f16(*variant).empty()))
        cases.push_back({variant, level, numbers, Family::hopper});
  }
  return numbers_in_turn(cases);
}

// Token by token.
inline std::vector<Case> cases_by_token(const std::vector<const Variant*>& variants) {
  std::vector<Case> cases;
  for (const Variant* variant : variants)
    for (const Numbers& numbers : all_numbers)
      if (numbers.precision == Precision::tf32)  // nothing is rounded to either
        cases.push_back({variant, Level::automatic, numbers, Family::recurrent});
  return numbers_in_turn(cases);
}

// All of the catalogue.
inline std::vector<Case> recurrent_cases() {
  std::vector<const Variant*> variants;
  for (const Variant& variant : catalogue()) variants.push_back(&variant);
  return cases_by_token(variants);
}

// Blocks that share the work on keys: of decays per key alone.
inline std::vector<Case> cluster_cases() {
  std::vector<Case> cases;
  for (const Variant* variant : {&variants::gla, &variants::gla_sigmoid, &variants::hgrn2, &variants::rwkv6})
    cases.push_back({variant, Level::serial, bf16_numbers, Family::hopper, 2});
  return cases;
}

// Keys and queries in a kernel of their own: likewise.
inline std::vector<Case> prepared_cases() {
  std::vector<Case> cases;
  for (const Variant* variant : {&variants::gla, &variants::gla_sigmoid, &variants::hgrn2, &variants::rwkv6})
    for (const Numbers& numbers : all_numbers)
      if (numbers.type == dtype::bf16 || (numbers.type == dtype::f16 && why_beyond_f16(*variant).empty()))
        cases.push_back({variant, Level::serial, numbers, Family::hopper, 1, true});
  return numbers_in_turn(cases);
}

// `chunk` 0: the schedule's own. `key_dim` is what there is of it where the variant's feature map has room for it.
inline CompileOptions options_of(const Case& c, int key_dim, int value_dim, int chunk) {
  key_dim = static_cast<int>(usual_key_dim(*c.variant, key_dim));
  if (c.family == Family::recurrent)
    return {.key_dim = key_dim, .value_dim = value_dim, .dtype = c.numbers.type, .pins = {.family = c.family}};
  return {.key_dim = key_dim,
          .value_dim = value_dim,
          .dtype = c.numbers.type,
          .precision = c.numbers.precision,
          .pins = {.family = c.family,
                   .level = c.level,
                   .chunk = chunk != 0 ? std::optional(chunk) : std::nullopt,
                   .value_tile = c.cluster > 1 ? std::optional(64) : std::nullopt,
                   .cluster = c.cluster,
                   .prepared = c.prepared ? std::optional(true) : std::nullopt}};
}

// Gates over six orders of magnitude in one chunk, from a log-decay of -1e-4 to -100, and some tokens that reset.
inline void spread_gates(Problem& problem, std::uint64_t seed) {
  for (HostTensor& tensor : problem.tensors) {
    const bool logarithm = tensor.name == "g" || tensor.name == "gk", logit = tensor.name == "x",
               step = tensor.name == "dt";
    if (!logarithm && !logit && !step) continue;
    const auto elements = static_cast<std::int64_t>(tensor.bytes.size() / size_of(tensor.type));
    for (std::int64_t i = 0; i < elements; ++i) {
      const double u = draw(Distribution::uniform, seed, 99, static_cast<std::uint64_t>(i));
      const double magnitude = std::pow(10.0, 6 * u - 4);
      double value = -magnitude;                                                          // the log-decay itself
      if (logit) value = magnitude > 30 ? -magnitude : -std::log(std::expm1(magnitude));  // softplus(-x) = magnitude
      if (step) value = magnitude > 30 ? magnitude : std::log(std::expm1(magnitude));     // softplus(x) = magnitude
      if (i % 41 == 40 && !step) value = logarithm ? (i % 82 == 81 ? -INFINITY : -1000.0) : -16000.0;
      store(tensor.bytes.data(), tensor.type, i, value);
    }
  }
}

inline void expect_right(const Operator& op, Problem& problem, const std::string& what) {
  std::vector<HostTensor> reference = reference_outputs(problem);
  for (const TensorError& error : verify(op, problem, reference))
    EXPECT_TRUE(error.ok) << what << ": " << error.name << " is off by " << error.relative_error << ", bound "
                          << error.bound << " (" << op.schedule() << ")";
}

// Lengths around the chunk, of which the short run has every second, then one packing with an empty first, middle and last
// sequence; three value heads a key head. `device_of(seed)` gives the device of each run.
template <class DeviceOf>
void expect_right_at_all_lengths(const Case& c, const DeviceOf& device_of, int key_dim, int value_dim, int chunk,
                                 std::uint64_t seed) {
  const CompileOptions options = options_of(c, key_dim, value_dim, chunk);
  std::size_t number = seed / 10;
  const auto expect_one = [&](std::int64_t batch, std::int64_t tokens, bool packed) {
    ++seed;
    if (!packed && !runs_in_turn(number++, 2)) return;
    Problem problem = random_problem(*c.variant, options,
                                     {.batch = batch,
                                      .tokens = tokens,
                                      .heads = 1,
                                      .value_heads = 3,
                                      .key_dim = options.key_dim,
                                      .value_dim = value_dim,
                                      .sequences = batch},
                                     {.seed = seed, .packed = packed});
    spread_gates(problem, seed);
    expect_right(
        compile(*c.variant, options, device_of(seed)), problem,
        c.name() + " " + to_string(problem.dims) + (packed ? " packed" : "") + " seed " + std::to_string(seed));
  };
  for (const int tokens : {1, chunk - 1, chunk, chunk + 1, 3 * chunk + 5}) expect_one(2, tokens, false);
  expect_one(1, 3 * chunk + 5, true);
}

}  // namespace rankone::test
