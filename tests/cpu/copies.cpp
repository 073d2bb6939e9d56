// SPDX-License-Identifier: MIT
// Asynchronous copies: what they write, and that nothing may touch it before its time.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t seeds = 8;

struct CopyKernel : TestKernel {
  alignas(16) std::vector<unsigned> source = std::vector<unsigned>(4 * 64);
  std::vector<unsigned> out = std::vector<unsigned>(4 * 64);

  CopyKernel(const std::string& body, int threads)
      : TestKernel(
            "const unsigned* source = static_cast<const unsigned*>(a.query.data);\n"
            "auto give = [&](int slot) {\n"
            "  const Vector16 v = shared_load<Vector16>(16 * slot);\n"
            "  for (int i = 0; i < 4; ++i) static_cast<unsigned*>(a.output.data)[4 * t + i] = v.word[i];\n"
            "};\n" +
                body,
            threads, 16 * 64 * 2) {
    std::iota(source.begin(), source.end(), 1u);
    arguments.query.data = source.data();
    arguments.output.data = out.data();
  }
  void expect_clean() const {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_EQ(failure({.seed = seed}), "") << "seed " << seed;
  }
  void expect_found(const std::string& kind) const {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const std::string what = failure({.seed = seed});
      EXPECT_NE(what.find(kind), what.npos) << "seed " << seed << ": " << what;
    }
  }
};

TEST(Copies, ArriveWholeAndZeroFilled) {
  CopyKernel kernel("copy_async<16>(16 * t, source + 4 * t, t % 17);\ncopy_commit(); copy_wait<0>();\ngive(t);", 64);
  kernel.expect_clean();
  const auto* from = reinterpret_cast<const unsigned char*>(kernel.source.data());
  const auto* to = reinterpret_cast<const unsigned char*>(kernel.out.data());
  for (int t = 0; t < 64; ++t)
    for (int i = 0; i < 16; ++i) EXPECT_EQ(to[16 * t + i], i < t % 17 ? from[16 * t + i] : 0) << t << ", " << i;
}

TEST(Copies, OfSmallerPiecesArriveLikewise) {
  for (const int size : {4, 8}) {
    const std::string bytes = std::to_string(size);
    CopyKernel kernel("for (int i = 0; i < 16; i += " + bytes + ") copy_async<" + bytes +
                          ">(16 * t + i, source + 4 * t + i / 4, t % " + std::to_string(size + 1) +
                          ");\ncopy_commit(); copy_wait<0>();\ngive(t);",
                      64);
    kernel.expect_clean();
    const auto* from = reinterpret_cast<const unsigned char*>(kernel.source.data());
    const auto* to = reinterpret_cast<const unsigned char*>(kernel.out.data());
    for (int t = 0; t < 64; ++t)
      for (int i = 0; i < 16; ++i)
        EXPECT_EQ(to[16 * t + i], i % size < t % (size + 1) ? from[16 * t + i] : 0) << size << ", " << t << ", " << i;
  }
}

TEST(Copies, ReadNothingBeyondTheirBytes) {
  CopyKernel kernel("copy_async<16>(16 * t, nullptr, 0);\ncopy_commit(); copy_wait<0>();\ngive(t);", 32);
  kernel.expect_clean();
  EXPECT_EQ(kernel.out[0], 0u);
}

TEST(Copies, AWaitServesItsOwnThreadOnly) {
  const std::string copy = "copy_async<16>(16 * t, source + 4 * t, 16);\ncopy_commit(); copy_wait<0>();\n";
  CopyKernel(copy + "sync_warp();\ngive(t ^ 1);", 32).expect_clean();
  CopyKernel(copy + "sync_block();\ngive(t ^ 33);", 64).expect_clean();
  CopyKernel(copy + "shuffle(0, 0);\ngive(t ^ 1);", 32).expect_found("write-read race");
}

TEST(Copies, MustBeWaitedFor) {
  CopyKernel("copy_async<16>(16 * t, source + 4 * t, 16);\ncopy_commit();\ngive(t);", 32)
      .expect_found("copy under way");
  CopyKernel("copy_async<16>(16 * t, source + 4 * t, 16);\ncopy_commit();\nsync_block();\ngive(t ^ 1);", 32)
      .expect_found("copy under way");
  // What was not committed is in no group that a wait covers.
  CopyKernel("copy_async<16>(16 * t, source + 4 * t, 16);\ncopy_wait<0>();\ngive(t);", 32)
      .expect_found("copy under way");
  CopyKernel("copy_async<16>(16 * t, source + 4 * t, 16);\ncopy_commit();\nshared_store(16 * t, Vector16{});", 32)
      .expect_found("copy under way");
}

TEST(Copies, GroupsCompleteInOrder) {
  const std::string two =
      "copy_async<16>(16 * t, source + 4 * t, 16); copy_commit();\n"
      "copy_async<16>(16 * (t + 64), source + 4 * t, 16); copy_commit();\ncopy_wait<1>();\n";
  CopyKernel first(two + "give(t);", 32);
  first.expect_clean();
  EXPECT_EQ(first.out[127], 128u);
  CopyKernel(two + "give(t + 64);", 32).expect_found("copy under way");
  CopyKernel(two + "copy_commit(); copy_wait<1>();\ngive(t + 64);", 32).expect_clean();  // an empty group counts
}

TEST(Copies, MayNotOverwriteWhatIsBeingRead) {
  CopyKernel(
      "shared_store(16 * t, Vector16{}); sync_block();\ngive(t ^ 32);\n"
      "copy_async<16>(16 * t, source + 4 * t, 16); copy_commit(); copy_wait<0>();",
      64)
      .expect_found("");
  const CopyKernel late(
      "shared_store(16 * t, Vector16{}); sync_block();\ngive(t ^ 1);\nshuffle(0, 0);\n"
      "copy_async<16>(16 * t, source + 4 * t, 16); copy_commit(); copy_wait<0>();",
      32);
  late.expect_found("read-write race");
}

TEST(Copies, ArriveAtARandomTime) {
  // The source changes between issue and wait: over some seeds both contents arrive.
  CopyKernel kernel(
      "static_cast<unsigned*>(a.query.data)[4 * t] = 1;\ncopy_async<16>(16 * t, source + 4 * t, 16);\n"
      "static_cast<unsigned*>(a.query.data)[4 * t] = 2;\ncopy_commit(); copy_wait<0>();\ngive(t);",
      32);
  bool early = false, late = false;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    kernel.run({.seed = seed});
    for (std::size_t t = 0; t < 32; ++t) (kernel.out[4 * t] == 1 ? early : late) = true;
  }
  EXPECT_TRUE(early);
  EXPECT_TRUE(late);
}

TEST(Copies, LeftUnderWayDoNotReachTheNextBlock) {
  CopyKernel kernel(
      "if (block_index() == 0) { copy_async<16>(16 * t, source + 4 * t, 16); copy_commit(); }\n"
      "else { shared_store(16 * t, Vector16{}); give(t); }",
      32);
  kernel.blocks = 3;
  kernel.expect_clean();
}

TEST(Copies, BadArguments) {
  CopyKernel("copy_async<16>(16 * t + 8, source, 16);", 32).expect_found("misaligned");
  CopyKernel("copy_async<16>(16 * t, source + 1, 16);", 32).expect_found("no multiple of 16");
  CopyKernel("copy_async<16>(16 * t, source, 17);", 32).expect_found("17 bytes where 0 to 16");
  CopyKernel("copy_async<16>(4096, source, 16);", 32).expect_found("out of range");
}

}  // namespace
}  // namespace rankone
