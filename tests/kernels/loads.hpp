// SPDX-License-Identifier: MIT
// Both ways of loading: a batch whose rows are one and the same in memory has a stride of zero, which no tensor map takes.
#pragma once

#include <cstdint>

#include <gtest/gtest.h>

#include <rankone/rankone.hpp>

#include "codegen/choose.hpp"
#include "codegen/program.hpp"
#include "runtime/backend.hpp"
#include "runtime/mapped_tensor.hpp"
#include "tests/runtime/device_problem.hpp"

namespace rankone::test {

inline void expect_map(const Device& device, const Program& program, const Tensor& tensor) {
  EXPECT_TRUE(program.uses_tma);
  MappedTensor boxed{.base = tensor.data,
                     .sizes = {tensor.shape[3], tensor.shape[1], tensor.shape[2], tensor.shape[0]},
                     .strides = {2 * tensor.strides[1], 2 * tensor.strides[2], 2 * tensor.strides[0]},
                     .element_bytes = 2,
                     .box_tokens = program.schedule.chunk};
  TensorMap map;
  EXPECT_TRUE(can_be_mapped(boxed) && backend_of(device).load(program, emit(program))->encode(boxed, map));
}

// The last chunk is no whole one, nor are the last 64 columns.
inline void expect_the_same_without_maps(const Device& device, const Variant& variant, const char* input,
                                         bool prepared) {
  constexpr std::int64_t B = 2, T = 107, H = 1, HV = 2, K = 96, V = 80;
  const CompileOptions options{
      .key_dim = K, .value_dim = V, .pins = {.family = Family::hopper, .chunk = 32, .prepared = prepared}};
  const Operator op = compile(variant, options, device);
  const auto filled = [&](std::int64_t heads, std::int64_t columns, double from, double width, std::uint64_t seed) {
    DeviceTensor tensor(device, dtype::bf16, {B, T, heads, columns});
    Draw draw(seed);
    std::int64_t left = T * heads * columns;
    tensor.fill([&] {
      if (left-- == 0) draw = Draw(seed), left = T * heads * columns - 1;  // each row of the batch alike
      return from + width * draw();
    });
    return tensor;
  };
  const DeviceTensor q = filled(H, K, 0, 1, 1), k = filled(H, K, 0, 1, 2), v = filled(HV, V, 0, 1, 3);
  const DeviceTensor x = filled(HV, K, -1, 1, 4);
  expect_map(device, lower(variant, options, default_schedule(variant, options, "sm_90a"), "sm_90a"), v.there);
  const Shape shape{.batch = B, .tokens = T, .heads = H, .value_heads = HV};
  DeviceTensor workspace(device, dtype::f32, {static_cast<std::int64_t>(op.workspace_bytes(shape) / 4) + 1});
  const auto output = [&](bool repeated) {
    const auto seen = [&](Tensor tensor) {
      if (repeated) tensor.strides[0] = 0;
      return tensor;
    };
    DeviceTensor o(device, dtype::bf16, {B, T, HV, V});
    ForwardArguments given;
    given.q = seen(q.there), given.k = seen(k.there), given.v = seen(v.there), given.o = o.there;
    given.inputs = {{input, seen(x.there)}};
    given.workspace = workspace.bytes();
    op.forward(given);
    device.synchronize();
    return o.download().values();
  };
  EXPECT_EQ(output(false), output(true)) << variant.name.view() << (prepared ? " prepared" : "");
}

}  // namespace rankone::test
