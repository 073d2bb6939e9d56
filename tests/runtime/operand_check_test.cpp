// SPDX-License-Identifier: MIT
// Which operands a program's kernels are right for, and what a call on the CPU device says of others.
#include "runtime/operand_check.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include <rankone/dsl/catalogue.hpp>
#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "runtime/call.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

constexpr int B = 2, T = 5, H = 3, K = 64;

Program program_of(const char* name, const Pins& pins = {.family = Family::hopper}, dtype type = dtype::bf16,
                   Pass pass = Pass::forward) {
  const CompileOptions options{.key_dim = K, .value_dim = K, .dtype = type, .pins = pins};
  const Variant& variant = variant_named(name);
  const Schedule forward = default_schedule(variant, options, "sm_90a");
  return lower(variant, options, schedule_for(pass, variant, options, "sm_90a", {forward}), "sm_90a", pass);
}

TEST(OperandRange, IsThatOfScoresWithDecaysPerKeyInBf16) {
  const auto expect = [](const Program& program, double queries_below, double keys_from) {
    const OperandRange range = operand_range(program);
    EXPECT_EQ(range.queries_below, queries_below) << program.name;
    EXPECT_EQ(range.keys_from, keys_from) << program.name;
  };
  const auto expect_none = [&](const Program& program) { expect(program, HUGE_VAL, 0); };
  expect(program_of("gla"), 0x1p66, 0x1p-66);
  expect(program_of("gla_sigmoid", {.family = Family::hopper, .prepared = true}), 0x1p66, 0x1p-66);
  expect(program_of("gla", {.family = Family::hopper, .level = Level::segment}), 0x1p66, 0x1p-66);
  expect(program_of("hgrn2"), 0x1p66, 0);  // whose keys are a formula's
  expect_none(program_of("gla", {.family = Family::portable}));
  expect_none(program_of("gla", {.family = Family::hopper}, dtype::f16));
  expect_none(program_of("gla", {.family = Family::hopper}, dtype::bf16, Pass::states));
  expect_none(program_of("simple_gla"));
}

// What a call says on the CPU device whose q or k is all `usual` but for one element of the middle head.
class Operand {
 public:
  explicit Operand(const char* name, double usual = 1) : name_(name), bytes_(B * T * H * K * 2) {
    for (std::int64_t i = 0; i < B * T * H * K; ++i) store(bytes_.data(), dtype::bf16, i, usual);
  }
  Operand& set(double value) {
    store(bytes_.data(), dtype::bf16, ((1 * T + 2) * H + 1) * K + 7, value);
    return *this;
  }
  std::string answer(const Program& program) const {
    CallTensor tensor{.name = name_, .data = bytes_.data(), .rank = 4, .element_bytes = 2};
    tensor.sizes = {B, T, H, K};
    tensor.strides = {T * H * K, H * K, K, 1};
    try {
      check_operands(program, {tensor});
      return "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return error.what();
    }
  }

 private:
  const char* name_;
  std::vector<unsigned char> bytes_;
};

TEST(OperandCheck, QueriesBeyondTheRangeAreRefused) {
  const Program program = program_of("gla");
  const std::string refusal = Operand("q").set(-1e22).answer(program);
  for (const char* part : {"a query is beyond", "at [1, 2, 1, 7]", "below 7.3787e+19", "gla, tensor 'q'"})
    EXPECT_NE(refusal.find(part), refusal.npos) << refusal;
  EXPECT_NE(Operand("q").set(0x1p66).answer(program), "accepted");
  EXPECT_EQ(Operand("q").set(0x1.fep65).answer(program), "accepted");
  EXPECT_EQ(Operand("q").set(HUGE_VAL).answer(program), "accepted");
  EXPECT_EQ(Operand("q").set(NAN).answer(program), "accepted");
  EXPECT_EQ(Operand("q").set(1e22).answer(program_of("gla", {.family = Family::portable})), "accepted");
}

TEST(OperandCheck, HeadsWhoseKeysAreAllTooSmallAreRefused) {
  const Program program = program_of("gla");
  const std::string refusal = Operand("k", 1e-24).answer(program);
  for (const char* part : {"a head's keys", "at [0, 0, 0, 0]", "from 1.35525e-20, or zeros", "gla, tensor 'k'"})
    EXPECT_NE(refusal.find(part), refusal.npos) << refusal;
  EXPECT_NE(Operand("k", 0).set(1e-24).answer(program).find("at [1, 2, 1, 7]"), std::string::npos);
  EXPECT_EQ(Operand("k").set(1e-24).answer(program), "accepted") << "it does not matter beside the others";
  EXPECT_EQ(Operand("k", 0).answer(program), "accepted");
  EXPECT_EQ(Operand("k", 0x1p-66).answer(program), "accepted");
  EXPECT_EQ(Operand("k", 1e-24).answer(program_of("hgrn2")), "accepted");
  EXPECT_EQ(Operand("k", 1e-24).answer(program_of("gla", {.family = Family::portable})), "accepted");
}

}  // namespace
}  // namespace rankone
