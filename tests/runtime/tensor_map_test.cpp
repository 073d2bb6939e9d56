// SPDX-License-Identifier: MIT
// Which tensors of a call have maps, and what these say.
#include "runtime/tensor_map.hpp"

#include <gtest/gtest.h>

#include <vector>

#include <rankone/rankone.hpp>

#include "codegen/choose.hpp"
#include "runtime/backend.hpp"

namespace rankone {
namespace {

alignas(16) char memory[16 * 64];  // stands for any tensor: nothing here reads through the pointers

constexpr MappedTensor good{memory, {80, 5, 3, 2}, {480, 160, 2400}, 2, 32};
bool can(void (*change)(MappedTensor&)) {
  MappedTensor tensor = good;
  change(tensor);
  return can_be_mapped(tensor);
}

TEST(MappedTensors, AreMappedWhereTheHardwareCan) {
  EXPECT_TRUE(can([](auto&) {}));
  EXPECT_FALSE(can([](auto& t) { t.base = nullptr; }));
  EXPECT_FALSE(can([](auto& t) { t.base = memory + 8; }));
  EXPECT_TRUE(can([](auto& t) { t.base = memory + 16; }));
  for (const std::size_t i : {0, 1, 2}) {
    const auto with = [i](std::int64_t stride) {
      MappedTensor tensor = good;
      tensor.strides[i] = stride;
      return can_be_mapped(tensor);
    };
    EXPECT_FALSE(with(24)) << i;
    EXPECT_FALSE(with(0)) << i << ": one row many times";
    EXPECT_FALSE(with(-160)) << i;
    EXPECT_FALSE(with(std::int64_t{1} << 40)) << i;
    EXPECT_TRUE(with((std::int64_t{1} << 40) - 16)) << i;
  }
  for (const std::size_t i : {0, 1, 2, 3}) {
    const auto with = [i](std::int64_t size) {
      MappedTensor tensor = good;
      tensor.sizes[i] = size;
      return can_be_mapped(tensor);
    };
    EXPECT_FALSE(with(0)) << i;
    EXPECT_TRUE(with((std::int64_t{1} << 31) - 1)) << i;
    EXPECT_FALSE(with(std::int64_t{1} << 31)) << i;
  }
}

TEST(MappedTensors, MayHaveAnyStrideThatIsNeverTaken) {
  for (const std::int64_t stride : {std::int64_t{0}, std::int64_t{3}, std::int64_t{-32}, std::int64_t{1} << 50}) {
    MappedTensor tensor = good;
    tensor.sizes = {80, 1, 1, 1};
    tensor.strides = {stride, stride, stride};
    EXPECT_TRUE(can_be_mapped(tensor));
    for (const std::int64_t each : tensor.strides) EXPECT_EQ(each, 16);
  }
}

// Keeps what it is to encode.
class Recorder final : public LoadedKernels {
 public:
  void launch(std::span<const KernelLaunch>, const LaunchArguments&, std::span<const CallTensor>, void*) const override {}
  bool encode(const MappedTensor& tensor, TensorMap& map) const override {
    if (refuses) return false;
    map.words[0] = all.size();
    all.push_back(tensor);
    return true;
  }
  mutable std::vector<MappedTensor> all;
  bool refuses = false;
};

constexpr int B = 2, T = 5, H = 2, HV = 6, K = 80, V = 96;

Program program_of(const Variant& variant, const CompileOptions& options, Pass pass = Pass::forward) {
  const Schedule forward = default_schedule(variant, options, "sm_90a");
  return lower(variant, options, schedule_for(pass, variant, options, "sm_90a", {forward}), "sm_90a", pass);
}
CompileOptions hopper(dtype input = dtype::bf16) {
  CompileOptions options{.key_dim = K, .value_dim = V, .pins = {.family = Family::hopper, .chunk = 32}};
  if (input != dtype::bf16) options.input_types = {{"x", input}};
  return options;
}
ForwardArguments arguments_of(dtype input = dtype::bf16) {
  ForwardArguments given;
  given.q = given.k = Tensor(memory, dtype::bf16, {B, T, H, K});
  given.v = given.o = Tensor(memory, dtype::bf16, {B, T, HV, V});
  given.inputs = {{"x", Tensor(memory, input, {B, T, HV, K})}};
  return given;
}
unsigned mapped(const Program& program, const ForwardArguments& given, const Recorder& recorder) {
  Call call = CallChecker(program, true).forward(given);
  TensorMaps(program).add(call, recorder);
  return call.arguments->mapped;
}

TEST(TensorMaps, AreThoseOfTheCallsTensors) {
  const Recorder recorder;
  ForwardArguments given = arguments_of();
  given.v.strides = {T * HV * 128, HV * 128, 128, 1};
  EXPECT_EQ(mapped(program_of(variants::gla_sigmoid, hopper()), given, recorder), 0b1111u);
  ASSERT_EQ(recorder.all.size(), 4u);
  const auto expect = [&](std::size_t i, std::int64_t columns, std::int64_t heads, std::int64_t row) {
    const MappedTensor& tensor = recorder.all[i];
    EXPECT_EQ(tensor.base, memory);
    EXPECT_EQ(tensor.sizes, (std::array<std::int64_t, 4>{columns, T, heads, B}));
    EXPECT_EQ(tensor.strides, (std::array<std::int64_t, 3>{2 * row * heads, 2 * row, 2 * row * heads * T}));
    EXPECT_EQ(tensor.box_tokens, 32);
    EXPECT_EQ(tensor.box_columns(), 64);
  };
  expect(0, K, H, K);
  expect(1, K, H, K);
  expect(2, V, HV, 128);
  expect(3, K, HV, K);
}

TEST(TensorMaps, TakeInputsOfFourBytes) {
  const Recorder recorder;
  EXPECT_EQ(mapped(program_of(variants::gla_sigmoid, hopper(dtype::f32)), arguments_of(dtype::f32), recorder), 0b1111u);
  ASSERT_EQ(recorder.all.size(), 4u);
  EXPECT_EQ(recorder.all[3].box_columns(), 32);
  EXPECT_EQ(recorder.all[3].strides, (std::array<std::int64_t, 3>{4 * K * HV, 4 * K, 4 * K * HV * T}));
}

TEST(TensorMaps, LeaveOutWhatHasNone) {
  const Recorder recorder;
  ForwardArguments given = arguments_of();
  given.q.data = memory + 2;
  given.v.strides[1] = HV * V + 4;
  EXPECT_EQ(mapped(program_of(variants::gla_sigmoid, hopper()), given, recorder), 0b1010u);
  Recorder refusing;
  refusing.refuses = true;
  EXPECT_EQ(mapped(program_of(variants::gla_sigmoid, hopper()), arguments_of(), refusing), 0u);
  CompileOptions portable = hopper();
  portable.pins.family = Family::portable;
  EXPECT_EQ(mapped(program_of(variants::gla_sigmoid, portable), arguments_of(), recorder), 0u);
}

constexpr Variant scaled =
    variant("scaled").decay(per_key(log_sigmoid(input("x")))).write_scale(sigmoid(input("b"))).checked();

TEST(TensorMaps, LeaveOutInputsOfOneNumberAToken) {
  const Recorder recorder;
  ForwardArguments given = arguments_of();
  given.inputs = {{"x", Tensor(memory, dtype::bf16, {B, T, HV, K})}, {"b", Tensor(memory, dtype::bf16, {B, T, HV})}};
  EXPECT_EQ(mapped(program_of(scaled, hopper()), given, recorder), 0b1111u);
}

TEST(TensorMaps, LeaveOutPlainGatesAndGatesPerHead) {
  const Recorder recorder;
  ForwardArguments given = arguments_of();
  given.inputs[0].name = "g";
  EXPECT_EQ(mapped(program_of(variants::gla, hopper()), given, recorder), 0u);
  given.inputs = {{"g", Tensor(memory, dtype::bf16, {B, T, HV})}};
  EXPECT_EQ(mapped(program_of(variants::simple_gla, hopper()), given, recorder), 0u);
}

}  // namespace
}  // namespace rankone
