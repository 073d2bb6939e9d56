// SPDX-License-Identifier: MIT
// Each word's host form against what it is defined to do.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

// Runs one warp over 512 bytes of shared memory that hold 0, 1, 2, ... as 16-bit numbers, and returns 4 words a lane.
std::vector<unsigned> loaded_matrices(const std::string& word) {
  std::vector<unsigned> result(32 * 4);
  TestKernel kernel(
      "for (int i = 0; i < 8; ++i) shared_store<unsigned short>((8 * t + i) * 2, 8 * t + i);\n"
      "sync_warp();\n"
      "unsigned r[4];\n" +
          word +
          "(r, (t % 8 * 4 + t / 8) * 16);\n"  // tile j: columns 8 j to 8 j + 7 of an 8 x 32 matrix
          "for (int i = 0; i < 4; ++i) static_cast<unsigned*>(a.output.data)[4 * t + i] = r[i];",
      32, 512);
  kernel.arguments.output.data = result.data();
  kernel.run();
  return result;
}

TEST(Words, LoadMatrixGivesEachLaneAPairOfItsRow) {
  const auto r = loaded_matrices("load_matrix_x4");
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned tile = 0; tile < 4; ++tile) {
      const unsigned first = lane / 4 * 32 + 8 * tile + lane % 4 * 2;
      EXPECT_EQ(r[4 * lane + tile], first | (first + 1) << 16) << "lane " << lane << ", tile " << tile;
    }
}

TEST(Words, LoadMatrixTransposedGivesEachLaneAPairOfItsColumn) {
  const auto r = loaded_matrices("load_matrix_x4_transposed");
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned tile = 0; tile < 4; ++tile) {
      const unsigned row = lane % 4 * 2, column = 8 * tile + lane / 4;
      EXPECT_EQ(r[4 * lane + tile], (row * 32 + column) | ((row + 1) * 32 + column) << 16)
          << "lane " << lane << ", tile " << tile;
    }
}

// One product of a warp: a is 16 x k, b is k x 8, given and taken by the layouts that matrix.cuh states.
void expect_product(const std::string& word, int k, const std::string& convert) {
  std::vector<float> in(static_cast<std::size_t>(16 * k + k * 8 + 16 * 8)), out(16 * 8);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(static_cast<int>(i * 37 % 61) - 30) / 8;
  const std::string sizes = "constexpr int k = " + std::to_string(k) + ";\n";
  const bool wide = k == 8;
  TestKernel kernel(
      sizes +
          "const float* in = static_cast<const float*>(a.query.data);\n"
          "const float *ma = in, *mb = in + 16 * k, *mc = mb + k * 8;\n"
          "const int g = t / 4, p = t % 4;\n"
          "const float *up = mc + g * 8 + 2 * p, *down = up + 64;\n"
          "float c[4] = {up[0], up[1], down[0], down[1]};\n" +
          (wide ? "const unsigned ra[4] = {to_tf32(ma[g * k + p]), to_tf32(ma[(g + 8) * k + p]),\n"
                  "                        to_tf32(ma[g * k + p + 4]), to_tf32(ma[(g + 8) * k + p + 4])};\n"
                  "const unsigned b0 = to_tf32(mb[p * 8 + g]), b1 = to_tf32(mb[(p + 4) * 8 + g]);\n"
                : "auto pair = [&](int row, int column) { return " + convert +
                      "(ma[row * k + column], ma[row * k + column + 1]); };\n"
                      "const unsigned ra[4] = {pair(g, 2 * p), pair(g + 8, 2 * p),\n"
                      "                        pair(g, 2 * p + 8), pair(g + 8, 2 * p + 8)};\n"
                      "const unsigned b0 = " +
                      convert +
                      "(mb[2 * p * 8 + g], mb[(2 * p + 1) * 8 + g]);\n"
                      "const unsigned b1 = " +
                      convert + "(mb[(2 * p + 8) * 8 + g], mb[(2 * p + 9) * 8 + g]);\n") +
          word +
          "(c, ra, b0, b1);\n"
          "float* o = static_cast<float*>(a.output.data);\n"
          "o[g * 8 + 2 * p] = c[0]; o[g * 8 + 2 * p + 1] = c[1];\n"
          "o[(g + 8) * 8 + 2 * p] = c[2]; o[(g + 8) * 8 + 2 * p + 1] = c[3];",
      32, 0);
  kernel.arguments.query.data = in.data();
  kernel.arguments.output.data = out.data();
  kernel.run();
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      // All operands are multiples of 1/8 with few bits: every sum is exact.
      double sum = in[static_cast<std::size_t>(24 * k + row * 8 + column)];
      for (int i = 0; i < k; ++i)
        sum +=
            double{in[static_cast<std::size_t>(row * k + i)]} * in[static_cast<std::size_t>(16 * k + i * 8 + column)];
      EXPECT_EQ(out[static_cast<std::size_t>(row * 8 + column)], sum) << "row " << row << ", column " << column;
    }
}

TEST(Words, ProductOfBf16) { expect_product("mma_bf16", 16, "pack_bf16"); }
TEST(Words, ProductOfTf32) { expect_product("mma_tf32", 8, ""); }

TEST(Words, ProductOfTf32IgnoresTheLowBits) {
  std::vector<float> out(32);
  TestKernel kernel(
      "float c[4] = {};\n"
      "const unsigned one = 0x3f800000u | 0x1fffu, ra[4] = {one, one, one, one};\n"
      "mma_tf32(c, ra, one, one);\n"
      "static_cast<float*>(a.output.data)[t] = c[t % 4];",
      32, 0);
  kernel.arguments.output.data = out.data();
  kernel.run();
  EXPECT_EQ(out, std::vector<float>(32, 8.0f));
}

TEST(Words, Shuffles) {
  std::vector<float> out(64 * 3);
  TestKernel kernel(
      "float* o = static_cast<float*>(a.output.data) + 3 * t;\n"
      "o[0] = shuffle_xor(t, 5);\n"
      "o[1] = shuffle_up(t, 3);\n"
      "o[2] = shuffle(t, 7 * t);",
      64, 0);
  kernel.arguments.output.data = out.data();
  kernel.run();
  for (int t = 0; t < 64; ++t) {
    const int lane = t % 32, first = t - lane;
    EXPECT_EQ(out[static_cast<std::size_t>(3 * t)], first + (lane ^ 5));
    EXPECT_EQ(out[static_cast<std::size_t>(3 * t + 1)], lane < 3 ? t : t - 3);
    EXPECT_EQ(out[static_cast<std::size_t>(3 * t + 2)], first + 7 * t % 32);
  }
}

TEST(Words, SharedAccessOfEachSize) {
  std::vector<unsigned long long> out(32 * 5);
  TestKernel kernel(
      "shared_store<unsigned char>(t, t);\n"
      "shared_store<unsigned short>(64 + 2 * t, t + 1000);\n"
      "shared_store<float>(128 + 4 * t, t);\n"
      "shared_store<unsigned long long>(256 + 8 * t, t + (1ull << 40));\n"
      "shared_store(512 + 16 * t, Vector16{{0u, 1u, 2u, unsigned(t)}});\n"
      "unsigned long long* o = static_cast<unsigned long long*>(a.output.data) + 5 * t;\n"
      "o[0] = shared_load<unsigned char>(t);\n"
      "o[1] = shared_load<unsigned short>(64 + 2 * t);\n"
      "o[2] = shared_load<float>(128 + 4 * t);\n"
      "o[3] = shared_load<unsigned long long>(256 + 8 * t);\n"
      "o[4] = shared_load<Vector16>(512 + 16 * t).word[3];",
      32, 1024);
  kernel.arguments.output.data = out.data();
  kernel.run();
  for (unsigned long long t = 0; t < 32; ++t) {
    const unsigned long long* o = out.data() + 5 * t;
    EXPECT_EQ(o[0], t);
    EXPECT_EQ(o[1], t + 1000);
    EXPECT_EQ(o[2], t);
    EXPECT_EQ(o[3], t + (1ull << 40));
    EXPECT_EQ(o[4], t);
  }
}

}  // namespace
}  // namespace rankone
