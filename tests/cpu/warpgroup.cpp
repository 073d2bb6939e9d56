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
        n(n), in(static_cast<std::size_t>((64 + n) * 16)), out(static_cast<std::size_t>(64 * n)) {
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
          const int began_with = column / 8 * 4 + row % 16 / 8 * 2 + column % 2;  // the index in c
          if (accumulated) sum += began_with;
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
  return (a.empty() ? "" : "fill(" + a + "{0}, ma, 64);\n") + "fill(" + b +
         "{16384}, mb, n);\nfence_async();\nsync_block();\n";
}

TEST(Warpgroup, LeftOperandInRegisters) {
  for (const char* type : {"bf16", "f16"})
    for (const int n : {32, 64})
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

constexpr const char* issue_shared = "wgmma_fence();\nwgmma<T, true>(c, Adjacent{0}, Apart{16384});\nwgmma_commit();\n";

// What is issued on the same accumulators adds up in order, whether in one group or in several.
TEST(Warpgroup, ChainsOfProducts) {
  const std::string fill = filled("Adjacent", "Apart"), product = "wgmma<T, true>(c, Adjacent{0}, Apart{16384});\n",
                    registers = "wgmma<T, true>(c, ra, Apart{16384});\n";
  ProductKernel(fill + "wgmma_fence();\n" + product + registers + product + "wgmma_commit(); wgmma_wait<0>(); give(c);",
                64)
      .expect_product(3, true);
  ProductKernel(fill + issue_shared + issue_shared + "wgmma_wait<1>(); wgmma_wait<0>(); wgmma_settle(c); give(c);", 64)
      .expect_product(2, true);
  ProductKernel(fill + issue_shared + "wgmma_wait<0>();\nwgmma_fence();\n" + registers +
                    "wgmma<T, false>(c, ra, Apart{16384});\nwgmma_commit(); wgmma_wait<0>(); give(c);",
                64)
      .expect_product(1, false);
}

// A swizzled row of 64 steps, 16 at a time: the second quarter of each row holds the operand.
TEST(Warpgroup, StepsInsideASwizzledRow) {
  ProductKernel(
      "fill(Adjacent{32}, ma, 64);\nfill(Adjacent{16384 + 96}, mb, n);\nfence_async();\nsync_block();\n"
      "wgmma_fence(); wgmma<T, false>(c, Adjacent{32}, Adjacent{16384 + 96}); wgmma_commit(); wgmma_wait<0>();"
      "give(c);",
      32)
      .expect_product(1, false);
}

TEST(Warpgroup, AccumulatorsAreNotThereBeforeTheWait) {
  const std::string begin = filled("Adjacent", "Apart") + issue_shared;
  for (const char* wait : {"", "wgmma_wait<1>();\n"}) {
    ProductKernel kernel(begin + wait + "give(c);\nwgmma_wait<0>();", 32);
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      ASSERT_EQ(kernel.failure({.seed = seed}), "");
      for (const float each : kernel.out) ASSERT_TRUE(std::isnan(each));
    }
  }
  expect_found(ProductKernel(begin + "c[1] = 0;\nwgmma_wait<0>();", 32), "accumulators touched");
  expect_found(ProductKernel(begin + "c[1] = 0;\n" + issue_shared + "wgmma_wait<0>();", 32), "accumulators touched");
  expect_found(ProductKernel(begin, 32), "wgmma left under way");
}

TEST(Warpgroup, OperandsInRegistersAreReadAtTheIssue) {
  ProductKernel(filled("", "Apart") +
                    "wgmma_fence(); wgmma<T, true>(c, ra, Apart{16384});\nfor (auto& each : ra) each = 0;\n"
                    "wgmma_commit(); wgmma_wait<0>(); give(c);",
                32)
      .expect_product(1, true);
}

TEST(Warpgroup, WritesNeedAFenceAndABarrier) {
  const std::string fill = "fill(Adjacent{0}, ma, 64);\nfill(Apart{16384}, mb, n);\n",
                    use = std::string(issue_shared) + "wgmma_wait<0>();";
  expect_found(ProductKernel(fill + "sync_block();\n" + use, 32), "missing fence_async: ");
  expect_found(ProductKernel(fill + "sync_block();\nfence_async();\n" + use, 32), "missing fence_async: ");
  expect_found(ProductKernel("fence_async();\n" + fill + "sync_block();\n" + use, 32), "missing fence_async: ");
  expect_found(ProductKernel(fill + "if (t != 77) fence_async();\nsync_block();\n" + use, 32), "missing fence_async: ");
  expect_found(ProductKernel(fill + "fence_async();\n" + use, 32), "write-read race: thread 0 (wgmma at line");
  expect_found(ProductKernel(fill + "fence_async();\nsync_warp();\n" + use, 32), "write-read race: ");
  expect_found(ProductKernel("fill(Adjacent{0}, ma, 64);\nfence_async();\nsync_block();\n" + use, 32),
               "unwritten memory");
  // A fence counts for all that its thread wrote before, and as long as it writes no more.
  ProductKernel(fill + "fence_async();\nnamed_barrier_sync(1, 128);\n" + use + "\nsync_block();\n" + use + " give(c);",
                32)
      .expect_product(2, true);
  expect_found(
      ProductKernel(
          fill + "fence_async();\nsync_block();\n" + use + "\nsync_block();\n" + fill + "sync_block();\n" + use, 32),
      "missing fence_async: ");
}

// Whoever writes and arrives need not wait itself.
TEST(Warpgroup, AThreadKnowsItsOwnWrites) {
  const auto kernel = [](const std::string& condition) {
    return ProductKernel(
        "if (t == 0) mbarrier_init(30000, 1);\nfill(Apart{16384}, mb, n);\nfence_async();\nsync_block();\n"
        "if (t == 0) {\n  shared_store<float>(16384, 0);\n  fence_async();\n  mbarrier_arrive(30000);\n}\n"
        "if (" +
            condition +
            ") mbarrier_wait(30000, 0);\n"
            "wgmma_fence(); wgmma<T, true>(c, ra, Apart{16384}); wgmma_commit(); wgmma_wait<0>();",
        32);
  };
  EXPECT_EQ(kernel("t != 0").failure(), "");
  EXPECT_EQ(kernel("true").failure(), "");
  expect_found(kernel("t != 1"), "write-read race: ");
  expect_found(kernel("t < 96"), "write-read race: ");
}

// Asynchronous copies are fenced by whoever has waited for them.
TEST(Warpgroup, CopiesNeedAFence) {
  const auto kernel = [](const std::string& after) {
    return ProductKernel(
        "fill(Adjacent{0}, ma, 64); fence_async();\n"
        "if (t < 64) copy_async<16>(16384 + 16 * t, mb, 16);\ncopy_commit();\n" +
            after +
            "wgmma_fence(); wgmma<T, true>(c, Adjacent{0}, MatrixView<true, false, 128, 256>{16384});\n"
            "wgmma_commit(); wgmma_wait<0>();",
        32);
  };
  EXPECT_EQ(kernel("copy_wait<0>(); fence_async(); sync_block();\n").failure(), "");
  expect_found(kernel("copy_wait<0>(); sync_block();\n"), "missing fence_async: ");
  expect_found(kernel("fence_async(); copy_wait<0>(); sync_block();\n"), "missing fence_async: ");
  expect_found(kernel("fence_async(); sync_block();\n"), "copy under way");
}

TEST(Warpgroup, WhatIsReadMayNotBeWrittenBeforeTheWait) {
  const std::string begin = filled("Adjacent", "Apart") + issue_shared;
  const std::string store = "if (t == 5) shared_store<float>(16384, 0);\n";
  expect_found(ProductKernel(begin + store + "wgmma_wait<0>();", 32), "product under way: thread 5 (shared_store");
  expect_found(ProductKernel(begin + "sync_block();\n" + store + "wgmma_wait<0>();", 32), "product under way: ");
  expect_found(ProductKernel(begin + "wgmma_wait<1>();\n" + store + "wgmma_wait<0>();", 32), "product under way: ");
  expect_found(ProductKernel(begin + "if (t == 5) copy_async<16>(16384, ma, 16);\nwgmma_wait<0>();", 32),
               "product under way: ");
  EXPECT_EQ(ProductKernel(begin + "wgmma_wait<0>();\n" + store, 32).failure(), "");
  // An older group is done where a younger one may not be.
  const auto younger = [&](const std::string& place) {
    return ProductKernel("fill(Plain{8192}, mb, n);\n" + begin +
                             "wgmma_fence(); wgmma<T, true>(c, ra, Plain{8192});\nwgmma_commit();\n"
                             "wgmma_wait<1>();\nif (t == 5) shared_store<float>(" +
                             place + ", 0);\nwgmma_wait<0>();",
                         32);
  };
  EXPECT_EQ(younger("16384").failure(), "");
  expect_found(younger("8192"), "product under way: ");
}

TEST(Warpgroup, EachGroupBeginsWithAFence) {
  const std::string begin = filled("Adjacent", "Apart"), product = "wgmma<T, true>(c, Adjacent{0}, Apart{16384});\n";
  expect_found(ProductKernel(begin + product + "wgmma_commit(); wgmma_wait<0>();", 32), "missing wgmma_fence");
  expect_found(ProductKernel(begin + issue_shared + product + "wgmma_commit(); wgmma_wait<0>();", 32),
               "missing wgmma_fence");
}

TEST(Warpgroup, AllItsThreadsComeToOneWord) {
  expect_found(TestKernel("if (t < 64) wgmma_fence(); else\nwgmma_commit();", 128, 0),
               "divergence: the warps of a warpgroup");
  expect_found(TestKernel("if (t < 64) wgmma_fence(); else\nwgmma_fence();", 128, 0),
               "divergence: the warps of a warpgroup");
  expect_found(TestKernel("if (t < 64) wgmma_fence();", 128, 0), "deadlock");
  expect_found(TestKernel("if (t >= 128) wgmma_fence();", 192, 0), "no warpgroup");
  expect_found(
      ProductKernel(filled("", "Apart") + "wgmma_fence();\nwgmma<T, true>(c, ra, Apart{t < 96 ? 16384 : 0});", 32),
      "operands disagree");
  EXPECT_EQ(TestKernel("if (t < 128) { release_registers<40>(); } else { claim_registers<232>(); }", 256, 0).failure(),
            "");
}

TEST(Warpgroup, StoredMatricesLoadBack) {
  std::vector<unsigned> out(32 * 8);
  TestKernel kernel(
      "unsigned r[4] = {t * 7u, t << 16 | 3u, t * 65537u, ~0u - t}, back[4];\n"
      "const int row = (t % 8 * 4 + t / 8) * 16;\n"
      "store_matrix_x4_transposed(row, r);\nsync_warp();\nload_matrix_x4_transposed(back, row);\n"
      "for (int i = 0; i < 4; ++i) static_cast<unsigned*>(a.output.data)[8 * t + i] = r[i] ^ back[i];\n"
      "load_matrix_x4(back, row);\n"
      "for (int i = 0; i < 4; ++i) static_cast<unsigned*>(a.output.data)[8 * t + 4 + i] = r[i] ^ back[i];",
      32, 512);
  kernel.arguments.output.data = out.data();
  ASSERT_EQ(kernel.failure(), "");
  bool other = false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % 8 < 4) {
      EXPECT_EQ(out[i], 0u) << i;
    } else if (out[i] != 0) {
      other = true;
    }
  }
  EXPECT_TRUE(other);  // untransposed, it is another matrix
  expect_found(TestKernel("unsigned r[4] = {}; store_matrix_x4_transposed(16 * t, r);\n"
                          "if (t == 0) shared_load<float>(4);",
                          32, 512),
               "write-read race");
}

}  // namespace
}  // namespace rankone
