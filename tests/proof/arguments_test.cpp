// SPDX-License-Identifier: MIT
// Public functions under arguments that make no sense: each refuses by an Error that says what, and none reads or writes.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <rankone/rankone.hpp>

#include "tests/refusal.hpp"

namespace rankone {
namespace {

using test::refusal;

constexpr auto weak = variant("weak").decay(per_head(input("g"))).checked();
constexpr auto aging = variant("aging").decay(per_head(log_sigmoid(input("g")) - position() / 400)).checked();

constexpr std::int64_t huge = std::int64_t{1} << 45;
std::array<float, 64> memory{};

Tensor of(SizeList shape) { return Tensor(memory.data(), dtype::f32, shape); }

struct Absurd {
  Tensor tensor;
  const char* message;
};
// None of them is a tensor of [1, 1, 1, 4].
std::vector<Absurd> absurd_tensors() {
  const Tensor good = of({1, 1, 1, 4});
  Tensor ranks = good, negative_rank = good, no_type = good, nowhere = good, negative = good;
  ranks.rank = 99, negative_rank.rank = -3;
  no_type.type = static_cast<dtype>(77);
  nowhere.data = nullptr;
  negative.shape[2] = -1;
  return {{ranks, "a rank that no tensor has; given 99"},
          {negative_rank, "a rank that no tensor has; given -3"},
          {no_type, "a type that is none; given number 77"},
          {nowhere, "the pointer is null; given [1, 1, 1, 4]"},
          {negative, "a size is negative; given [1, 1, -1, 4]"}};
}

void expect_refused(const std::string& what, const std::string& where, const std::string& message) {
  EXPECT_EQ(what.substr(0, where.size()), where) << what;
  EXPECT_NE(what.find(message), std::string::npos) << what;
}

TEST(Arguments, ComparisonsTakeTensorsAlone) {
  const Tensor good = of({1, 1, 1, 4});
  for (const auto& [tensor, message] : absurd_tensors()) {
    const Tensor& absurd = tensor;  // lambdas of C++20 capture no structured binding in every compiler
    expect_refused(refusal([&] { (void)compare(absurd, good, 1); }), "compare, result: ", message);
    expect_refused(refusal([&] { (void)compare(good, absurd, 1); }), "compare, reference: ", message);
  }
  expect_refused(refusal([&] { (void)compare({}, {}, 1); }), "compare, result: ", "the pointer is null; given []");
  const Tensor rows(memory.data(), dtype::f32, {huge, 1}, {0, 0}), all(memory.data(), dtype::f32, {huge, huge}, {0, 0});
  expect_refused(refusal([&] { (void)compare(rows, rows, 1); }), "compare: ", "do not fit in memory");
  expect_refused(refusal([&] { (void)compare(all, all, 1); }), "tensor: ", "more elements than 64 bits count");
}

TEST(Arguments, TheOracleTakesTensorsAlone) {
  const Tensor good = of({1, 1, 1, 4}), gates = of({1, 1, 1});
  const auto given = [&](const Variant& variant, const char* name, const Tensor& tensor) {
    ForwardArguments all{.q = good, .k = good, .v = good, .inputs = {{"g", gates}}};
    const std::string which = name;
    if (which == "q") all.q = tensor;
    if (which == "k") all.k = tensor;
    if (which == "v") all.v = tensor;
    if (which == "g") all.inputs.front().tensor = tensor;
    if (which == "initial_state") all.initial_state = tensor;
    if (which == "cu_seqlens") all.cu_seqlens = tensor;
    if (which == "start_positions") all.start_positions = tensor;
    return refusal([&] { (void)oracle(variant, all); });
  };
  for (const auto& [tensor, message] : absurd_tensors()) {
    for (const char* name : {"q", "k", "v", "g", "initial_state", "cu_seqlens"})
      expect_refused(given(weak, name, tensor), std::string(name) + ": ", message);
    expect_refused(given(aging, "start_positions", tensor), "start_positions: ", message);
  }
  const Tensor long_one(memory.data(), dtype::f32, {1, huge, 1, 4}, {0, 0, 0, 1}),
      gate(memory.data(), dtype::f32, {1, huge, 1}, {0, 0, 0});
  const ForwardArguments too_much{.q = long_one, .k = long_one, .v = long_one, .inputs = {{"g", gate}}};
  expect_refused(refusal([&] { (void)oracle(weak, too_much); }), "weak: ", "do not fit in memory");
}

TEST(Arguments, SizesAreCountedBeforeTheyAreUsed) {
  const Tensor good = of({1, 1, 1, 4}), gates = of({1, 1, 1});
  const ForwardArguments all{.q = good, .k = good, .v = good, .inputs = {{"g", gates}}};
  expect_refused(refusal([&] { (void)oracle(weak, all, {.key_dim = -4}); }), "weak: ", "K is out of range; given -4");
  const Operator op = compile(weak, {.key_dim = 16, .value_dim = 16, .pins = {.level = Level::chunk}}, Device::cpu());
  for (const Shape& shape : {Shape{.batch = huge, .tokens = 0}, Shape{.tokens = 0, .heads = huge}})
    expect_refused(refusal([&] { (void)op.workspace_bytes(shape); }), "weak: ", "the shape is out of range");
}

TEST(Arguments, VariantsOfDataAreChecked) {
  Variant nodes = weak, operand = weak, named = weak;
  nodes.nodes.size = 9999;
  operand.nodes.nodes[0].left = 30000;
  named.nodes.nodes[0].name = 77;
  for (const Variant& each : {nodes, operand, named, Variant{}}) {
    EXPECT_NE(refusal([&] { (void)variant_to_json(each); }), "accepted");
    const CompileOptions options{.key_dim = 16, .value_dim = 16};
    const std::string where = "declaration: ";  // and no tensor, option or device
    expect_refused(refusal([&] { (void)oracle(each, {}); }), where, "");
    expect_refused(refusal([&] { (void)compile(each, {}, Device::cpu()); }), where, "");
    expect_refused(refusal([&] { (void)compile(each, options, Device::cpu(), {.batch = -1}); }), where, "");
    expect_refused(refusal([&] { (void)tune(each, options, {}, Device::cpu()); }), where, "");
  }
}

TEST(Arguments, FilesTakeTensorsAlone) {
  const auto bytes_of = [](const std::vector<SafetensorsTensor>& tensors) {
    return refusal([&] { (void)safetensors_bytes(tensors, {}); });
  };
  const void* const data = memory.data();
  const std::string where = "safetensors, tensor 'a': ";
  expect_refused(bytes_of({{"a", dtype::f32, {4}, nullptr}}), where, "the pointer is null; given 16 bytes");
  expect_refused(bytes_of({{"a", dtype::f32, {4, -1}, data}}), where, "a size is negative; given -1");
  expect_refused(bytes_of({{"a", dtype::f32, {huge, huge}, data}}), where, "the shape is too large");
  expect_refused(bytes_of({{"a", dtype::f32, {huge}, data}}), where, "do not fit in memory");
  expect_refused(bytes_of({{"a", static_cast<dtype>(77), {4}, data}}), where, "the type is none; given number 77");
  expect_refused(bytes_of({{"a", dtype::f32, {4}, data}, {"a", dtype::f32, {4}, data}}), where,
                 "two tensors have one name");
  expect_refused(bytes_of({{"__metadata__", dtype::f32, {4}, data}}),
                 "safetensors, tensor '__metadata__': ", "the name is that of the metadata");
  EXPECT_EQ(bytes_of({{"a", dtype::f32, {0, huge, huge}, nullptr}}), "accepted") << "without elements";
  EXPECT_NE(refusal([&] { write_safetensors("", {{"a", dtype::f32, {4}, data}}, {}); }), "accepted");
  const std::string cut("/tmp/rankone\0name", 17);
  expect_refused(refusal([&] { write_safetensors(cut, {{"a", dtype::f32, {4}, data}}, {}); }), "path: ", "a zero byte");
  expect_refused(refusal([&] { (void)SafetensorsFile::open(cut); }), "path: ", "a zero byte");
  const SafetensorsEntry strange{.name = "x", .type_name = "F32", .shape = {2}, .offset = 1000, .bytes = 8};
  expect_refused(refusal([&] { (void)SafetensorsFile().data(strange); }), "", "the entry is not one of this file");
}

TEST(Arguments, MemoryIsAsLargeAsItIsSaidToBe) {
  const Device cpu = Device::cpu();
  for (const std::size_t bytes : {SIZE_MAX, SIZE_MAX - 255, SIZE_MAX / 2 + 1})
    expect_refused(refusal([&] { const Buffer buffer(cpu, bytes); }), "cpu: ", "out of memory");
  const Buffer buffer(cpu, 64);
  expect_refused(refusal([&] { buffer.upload(nullptr); }),
                 "Device::upload: ", "a pointer is null; given none to copy from");
  expect_refused(refusal([&] { buffer.download(nullptr); }), "Device::download: ", "none to copy to, 64 bytes");
  EXPECT_EQ(refusal([&] { cpu.upload(nullptr, nullptr, 0); }), "accepted") << "nothing is copied";
  expect_refused(refusal([&] { (void)buffer.tensor(dtype::f32, {-2, -2}); }), "tensor: ", "a size is negative");
  expect_refused(refusal([&] { (void)buffer.tensor(static_cast<dtype>(77), {4}); }), "Buffer: ", "a type that is none");
  EXPECT_EQ(Tensor(nullptr, dtype::f32, {0, huge, huge}).elements(), 0);
  for (const auto& [tensor, message] : absurd_tensors())
    if (tensor.rank != 4) {
      expect_refused(refusal([&, &each = tensor] { (void)each.elements(); }), "tensor: ", message);
      expect_refused(refusal([&, &each = tensor] { (void)each.contiguous(); }), "tensor: ", message);
    }
}

}  // namespace
}  // namespace rankone
