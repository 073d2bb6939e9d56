// SPDX-License-Identifier: MIT
// Products of a warpgroup against float64, in every layout of their operands; and that they take their time.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t seeds = 8;

// A left operand of 64 rows stands at byte 0, a right one of up to 64 at byte 16384; the threads write both from global
// memory, row by row, each element where `place` has it.
constexpr const char* layouts =
    "const int group = t % 32 / 4, pair = t % 4, first = t / 32 * 16;\n"
    "const float *ma = static_cast<const float*>(a.query.data), *mb = ma + 64 * 16;\n"
    "float* out = static_cast<float*>(a.output.data);\n"
    "using Plain = MatrixView<true, false, 4096, 128>;\n"  // blocks of eight rows one after the other, the steps apart
    "using Adjacent = MatrixView<true, true, 16, 1024>;\n"
    "using Apart = MatrixView<false, true, 2048, 1024>;\n"
    "auto swizzle = [](int at) { return at ^ (at / 128 % 8 * 16); };\n"
    "auto place_of = [&](auto view, int row, int step) {\n"
    "  using View = decltype(view);\n"
    "  if constexpr (!View::steps_adjacent) return swizzle(view.offset + row * 2 + step * 128);\n"
    "  else if constexpr (View::swizzled) return swizzle(view.offset + row * 128 + step * 2);\n"
    "  else return view.offset + row * 16 + step / 8 * View::leading_bytes + step % 8 * 2;\n"
    "};\n"
    "auto fill = [&](auto view, const float* from, int rows) {\n"
    "  for (int i = t; i < rows * 16; i += 128)\n"
    "    shared_store(place_of(view, i / 16, i % 16), Element<T>::from(from[i]));\n"
    "};\n"
    "auto give = [&](auto& c) {\n"
    "  for (int i = 0; i < n / 2; ++i)\n"
    "    out[(first + group + i % 4 / 2 * 8) * n + i / 4 * 8 + 2 * pair + i % 2] = c[i];\n"
    "};\n"
    "auto load_a = [&](unsigned (&r)[4]) {\n"
    "  for (int part = 0; part < 4; ++part) {\n"
    "    const float* const e = ma + (first + group + part % 2 * 8) * 16 + 2 * pair + part / 2 * 8;\n"
    "    r[part] = Element<T>::pack(e[0], e[1]);\n"
    "  }\n"
    "};\n"
    "unsigned ra[4]; load_a(ra);\n"
    "float c[n / 2];\n"
    "for (int i = 0; i < n / 2; ++i) c[i] = i;\n";

struct ProductKernel : TestKernel {
  int n;
  std::vector<float> in, out;

  ProductKernel(const std::string& body, int n, const std::string& type = "bf16")
      : TestKernel("using T = " + type + ";\nconstexpr int n = " + std::to_string(n) + ";\n" + layouts + body, 128,
                   32768),
        n(n),
        in(static_cast<std::size_t>((64 + n) * 16)),
        out(static_cast<std::size_t>(64 * n)) {
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(static_cast<int>(i * 37 % 61) - 30) / 8;
    arguments.query.data = in.data();
    arguments.output.data = out.data();
  }
  // Operands are multiples of 1/8 with few bits: every sum is exact.
  void expect_product(double times, bool accumulated) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      std::fill(out.begin(), out.end(), -1.0f);
      ASSERT_EQ(failure({.seed = seed}), "") << "seed " << seed;
      for (int row = 0; row < 64; ++row)
        for (int column = 0; column < n; ++column) {
          double sum = 0;
          for (int i = 0; i < 16; ++i)
            sum += double{in[static_cast<std::size_t>(row * 16 + i)]} *
                   in[static_cast<std::size_t>((64 + column) * 16 + i)];
          sum *= times;
          if (accumulated) sum += column / 8 * 4 + row % 16 / 8 * 2 + column % 2;  // the index that c began with
          ASSERT_EQ(out[static_cast<std::size_t>(row * n + column)], sum) << row << ", " << column << ", n = " << n;
        }
    }
  }
};

void expect_found(const TestKernel& kernel, const std::string& kind) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = kernel.failure({.seed = seed});
    EXPECT_NE(failure.find(kind), failure.npos) << "seed " << seed << ": " << failure;
  }
}

std::string filled(const std::string& a, const std::string& b) {
  return (a.empty() ? "" : "fill(" + a + "{0}, ma, 64);\n") + "fill(" + b + "{16384}, mb, n);\nfence_async();\nsync_block();\n";
}

TEST(Warpgroup, LeftOperandInRegisters) {
  for (const char* type : {"bf16", "f16"})
    for (const int n : {8, 16, 32, 64})
      for (const std::string b : {"Plain", "Adjacent", "Apart"}) {
        ProductKernel(filled("", b) + "wgmma_fence(); wgmma<T, true>(c, ra, " + b +
                          "{16384}); wgmma_commit(); wgmma_wait<0>(); give(c);",
                      n, type)
            .expect_product(1, true);
      }
}

TEST(Warpgroup, BothOperandsInSharedMemory) {
  for (const std::string a : {"Plain", "Adjacent", "Apart"})
    for (const std::string b : {"Plain", "Adjacent", "Apart"})
      ProductKernel(filled(a, b) + "wgmma_fence(); wgmma<T, false>(c, " + a + "{0}, " + b +
                        "{16384}); wgmma_commit(); wgmma_wait<0>(); give(c);",
                    32)
          .expect_product(1, false);
}

}  // namespace
}  // namespace rankone
