// SPDX-License-Identifier: MIT
// Each kind of race is found under every schedule, with the two threads and the place; ordered kernels pass.
#include <gtest/gtest.h>

#include <string>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t seeds = 8;

void expect_clean(const TestKernel& kernel) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_EQ(kernel.failure({.seed = seed}), "") << "seed " << seed;
}

void expect_found(const TestKernel& kernel, const std::string& kind) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = kernel.failure({.seed = seed});
    EXPECT_NE(failure.find(kind), failure.npos) << "seed " << seed << ": " << failure;
    EXPECT_NE(failure.find("kernel kernel, block 0"), failure.npos) << failure;
  }
}

// Thread t writes word t and reads that of its neighbour, `between` which stands something.
std::string neighbours(const std::string& between, int neighbour) {
  return "shared_store<float>(4 * t, t);\n" + between + "\nshared_load<float>(4 * (t ^ " + std::to_string(neighbour) +
         "));";
}

TEST(Races, ABlockBarrierOrdersAll) { expect_clean(TestKernel(neighbours("sync_block();", 32), 64, 256)); }
TEST(Races, AWarpBarrierOrdersItsLanes) { expect_clean(TestKernel(neighbours("sync_warp();", 1), 64, 256)); }

TEST(Races, WriteThenRead) {
  // Whether the write or the read comes first is up to the schedule; unwritten memory is then the finding.
  TestKernel kernel(neighbours("", 32), 64, 256);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = kernel.failure({.seed = seed});
    EXPECT_TRUE(failure.find("write-read race") != failure.npos || failure.find("unwritten memory") != failure.npos ||
                failure.find("read-write race") != failure.npos)
        << failure;
  }
  EXPECT_EQ(kernel.failure({.seed = 1, .check_races = false}), "");
}

TEST(Races, AWarpBarrierDoesNotOrderAcrossWarps) {
  expect_found(TestKernel("shared_store<float>(4 * t, 0); sync_block();\nshared_store<float>(4 * t, t);\nsync_warp();\n"
                          "shared_load<float>(4 * (t ^ 32));",
                          64, 256),
               " race: thread ");
}

TEST(Races, AShuffleDoesNotOrderMemory) {
  expect_found(TestKernel("shared_store<float>(4 * t, t);\nshuffle(0, 0);\nshared_load<float>(4 * (t ^ 1));", 32, 128),
               "write-read race");
}

TEST(Races, ALoadedMatrixMustBeWritten) {
  const std::string body = "shared_store(16 * t, Vector16{});\n%unsigned r[4]; load_matrix_x4(r, 16 * t);";
  const auto with = [&](const std::string& sync) { return std::string(body).replace(body.find('%'), 1, sync); };
  expect_clean(TestKernel(with("sync_warp();\n"), 32, 512));
  expect_found(TestKernel(with(""), 32, 512), "write-read race");
}

TEST(Races, ReadThenWrite) {
  const std::string body =
      "shared_store<float>(4 * t, t); sync_block();\nshared_load<float>(4 * (t ^ 32));\n"
      "%shared_store<float>(4 * t, 0);";
  const auto with = [&](const std::string& sync) { return std::string(body).replace(body.find('%'), 1, sync); };
  expect_clean(TestKernel(with("sync_block();\n"), 64, 256));
  // The write may also come before the read of the other warp.
  expect_found(TestKernel(with(""), 64, 256), " race: thread ");
  expect_found(TestKernel(with("sync_warp();\n"), 64, 256), " race: thread ");
}

// All of warp 0 and one lane of warp 1 read a word; then some thread writes it.
TEST(Races, ManyReadersAreAllRemembered) {
  const std::string read =
      "if (t == 0) shared_store<float>(0, 0); sync_block();\n"
      "if (t < 32 || t == 40) shared_load<float>(0);\nsync_warp();\n";
  for (const char* writer : {"0", "31", "40", "41", "95"})
    expect_found(TestKernel(read + "if (t == " + writer + ") shared_store<float>(0, 1);", 96, 16), " race: thread ");
  expect_clean(TestKernel(read + "sync_block(); if (t == 41) shared_store<float>(0, 1);", 96, 16));
}

TEST(Races, ReadersOfOneWarpAreOrderedBySyncWarp) {
  const std::string begin = "if (t == 0) shared_store<float>(0, 0); sync_block();\nif (t < 32) {\n";
  expect_clean(
      TestKernel(begin + "shared_load<float>(0); sync_warp(); if (t == 3) shared_store<float>(0, 1); }", 64, 16));
  expect_found(TestKernel(begin + "sync_warp(); if (t < 2) shared_load<float>(0);\nshuffle(0, 0);\n"
                                  "if (t == 1) shared_store<float>(0, 1); }",
                          64, 16),
               "read-write race");
  // A thread may overwrite what it alone has read.
  expect_clean(TestKernel(begin + "if (t == 1) { shared_load<float>(0); shared_store<float>(0, 1); } }", 64, 16));
}

TEST(Races, WriteAndWrite) {
  expect_found(TestKernel("shared_store<float>(0, 1);", 32, 16), "write-write race");
  expect_found(TestKernel("if (t % 32 == 0) shared_store<float>(0, t);", 64, 16), "write-write race");
}

TEST(Races, ReportNamesThreadsLinesAndBytes) {
  TestKernel kernel("if (t == 5) shared_store<float>(40, 1);\nshuffle(0, 0);\nif (t == 7) shared_load<Vector16>(32);",
                    32, 64);
  const int store = kernel.line_of("if (t == 5)"), load = kernel.line_of("if (t == 7)");
  // Words 32 and 36 were never written: those are met first.
  EXPECT_NE(kernel.failure().find("unwritten memory: thread 7 (shared_load at line " + std::to_string(load) +
                                  ") reads shared memory bytes 32 to 47"),
            std::string::npos)
      << kernel.failure();
  TestKernel whole("if (t == 5) shared_store(32, Vector16{});\nshuffle(0, 0);\nif (t == 7) shared_load<float>(40);", 32,
                   64);
  EXPECT_NE(whole.failure().find("write-read race: thread 7 (shared_load at line " + std::to_string(load) +
                                 ") reads shared memory bytes 40 to 43, which thread 5 wrote at line " +
                                 std::to_string(store)),
            std::string::npos)
      << whole.failure();
}

TEST(Races, HalvesOfAWordAreApart) {
  expect_clean(TestKernel("shared_store<unsigned short>(2 * t, t);\nshared_load<unsigned short>(2 * t);", 64, 128));
  expect_clean(TestKernel("shared_store<unsigned char>(t, t);\nshared_load<unsigned char>(t);", 64, 64));
  expect_found(TestKernel("shared_store<unsigned short>(2 * t, t);\nif (t == 0) shared_store<float>(4, 0);", 32, 64),
               "write-write race");
}

TEST(Races, MemoryIsUnwrittenAgainInEachBlock) {
  TestKernel kernel("if (block_index() == a.tokens) shared_store<float>(4 * t, t);\nshared_load<float>(4 * t);", 32,
                    128);
  kernel.blocks = 2;
  for (long long writer = 0; writer < 2; ++writer) {
    kernel.arguments.tokens = writer;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const std::string failure = kernel.failure({.seed = seed, .max_workers = 1});
      EXPECT_NE(failure.find("block " + std::to_string(1 - writer)), failure.npos) << failure;
      EXPECT_NE(failure.find("unwritten memory"), failure.npos) << failure;
    }
  }
}

TEST(Races, ContentsArePoisonedInEachBlock) {
  std::vector<unsigned> out(64);
  TestKernel kernel(
      "static_cast<unsigned*>(a.output.data)[32 * block_index() + t] = shared_load<unsigned>(4 * t);\n"
      "shared_store<unsigned>(4 * t, 1);",
      32, 128);
  kernel.blocks = 2;
  kernel.arguments.output.data = out.data();
  kernel.run({.max_workers = 1, .check_races = false});
  EXPECT_EQ(out, std::vector<unsigned>(64, 0xffffffffu));
}

TEST(Races, OutOfRangeAndMisaligned) {
  for (const char* offset : {"128", "-4", "126", "1 << 20"})
    EXPECT_NE(
        TestKernel(std::string("shared_store<float>(") + offset + ", 0);", 32, 128).failure().find("out of range"),
        std::string::npos)
        << offset;
  EXPECT_NE(TestKernel("shared_store<float>(6, 0);", 32, 128).failure().find("misaligned"), std::string::npos);
  EXPECT_NE(
      TestKernel("shared_store(16 * t, Vector16{}); sync_warp(); unsigned r[4]; load_matrix_x4(r, t * 8);", 32, 512)
          .failure()
          .find("misaligned: thread"),
      std::string::npos);
}

}  // namespace
}  // namespace rankone
