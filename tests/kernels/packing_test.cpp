// SPDX-License-Identifier: MIT
// Packed sequences that do not cover their row: what lies outside them is nobody's to write.
#include <algorithm>
#include <span>

#include "proof/oracle/compare.hpp"
#include "proof/oracle/oracle.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

struct Buffer {
  std::vector<std::byte> bytes;
  Tensor tensor;
  Buffer(dtype type, std::vector<std::int64_t> shape) {
    std::int64_t elements = 1;
    for (const std::int64_t size : shape) elements *= size;
    bytes.assign(static_cast<std::size_t>(elements) * size_of(type), std::byte{0x7f});
    tensor = Tensor(bytes.data(), type, shape);
  }
  Buffer(const Buffer&) = delete;
  void fill(std::uint64_t stream) {
    for (std::int64_t i = 0; i < tensor.elements(); ++i)
      store(bytes.data(), tensor.type, i, draw(Distribution::normal, 5, stream, static_cast<std::uint64_t>(i)));
  }
};

TEST(Packing, TokensOutsideAreLeftAlone) {
  constexpr std::int64_t tokens = 90, dim = 16, first = 37, last = 70;
  Buffer q(dtype::bf16, {1, tokens, 1, dim}), k(dtype::bf16, {1, tokens, 1, dim}), v(dtype::bf16, {1, tokens, 1, dim});
  Buffer offsets(dtype::i32, {4});
  q.fill(1);
  k.fill(2);
  v.fill(3);
  const std::int64_t boundaries[] = {first, first, 50, last};
  for (int i = 0; i < 4; ++i) store(offsets.bytes.data(), dtype::i32, i, static_cast<double>(boundaries[i]));
  for (const Level level : {Level::serial, Level::chunk}) {
    const CompileOptions options{.key_dim = dim, .value_dim = dim, .pins = {.level = level, .chunk = 16}};
    const Operator op = compile(variants::retnet, options, cpu_device(6));
    Buffer o(dtype::bf16, {1, tokens, 1, dim}), exact(dtype::f64, {1, tokens, 1, dim});
    std::vector<std::byte> workspace(op.workspace_bytes({.tokens = tokens, .sequences = 3}));
    ForwardArguments arguments{.q = q.tensor,
                               .k = k.tensor,
                               .v = v.tensor,
                               .cu_seqlens = offsets.tensor,
                               .o = o.tensor,
                               .workspace = workspace};
    op.forward(arguments);
    arguments.o = exact.tensor;
    oracle_forward(variants::retnet, options, arguments);
    const auto row = [](const Buffer& buffer, std::int64_t token) {
      const std::int64_t bytes = dim * static_cast<std::int64_t>(size_of(buffer.tensor.type));
      return std::span(buffer.bytes).subspan(static_cast<std::size_t>(token * bytes), static_cast<std::size_t>(bytes));
    };
    for (std::int64_t token = 0; token < tokens; ++token) {
      if (token >= first && token < last) continue;
      const auto bytes = row(o, token);
      EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::byte each) { return each == std::byte{0x7f}; }))
          << token;
    }
    const auto inside = [&](const Buffer& buffer) {
      return Tensor::view(row(buffer, first).data(), buffer.tensor.type, {last - first, dim});
    };
    EXPECT_TRUE(compare(inside(o), inside(exact), 3.2e-3).ok);
  }
}

}  // namespace
}  // namespace rankone::test
