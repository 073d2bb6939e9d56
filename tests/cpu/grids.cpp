// SPDX-License-Identifier: MIT
// Launches: every block once, on many workers, with up to 1,024 threads; and what is refused.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include <rankone/error.hpp>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

TEST(Grids, EveryThreadOfEveryBlockRunsOnce) {
  constexpr std::size_t blocks = 70000;  // more than 16 bits
  std::vector<unsigned char> out(blocks * 32);
  TestKernel kernel("++static_cast<unsigned char*>(a.output.data)[block_index() * 32 + t];", 32, 0);
  kernel.blocks = blocks;
  kernel.arguments.output.data = out.data();
  kernel.run({.seed = 3});
  kernel.run({.seed = 4, .max_workers = 5});
  EXPECT_EQ(out, std::vector<unsigned char>(blocks * 32, 2));
}

TEST(Grids, TheLargestBlock) {
  std::vector<float> out(1024);
  TestKernel kernel(
      "shared_store<float>(4 * t, t);\nsync_block();\n"
      "static_cast<float*>(a.output.data)[t] = shared_load<float>(4 * (1023 - t));",
      1024, 4096);
  kernel.arguments.output.data = out.data();
  kernel.run();
  for (int t = 0; t < 1024; ++t) EXPECT_EQ(out[static_cast<std::size_t>(t)], 1023 - t);
}

TEST(Grids, LargeLocalArraysFitTheStack) {
  std::vector<float> out(64);
  TestKernel kernel(
      "volatile int local[16384];\nfor (int i = 0; i < 16384; ++i) local[i] = i % 64 + t;\nsync_block();\n"
      "int sum = 0; for (int i = 0; i < 16384; ++i) sum += local[i] - t;\n"
      "static_cast<float*>(a.output.data)[t] = sum;",
      64, 0);
  kernel.arguments.output.data = out.data();
  kernel.run();
  EXPECT_EQ(out, std::vector<float>(64, 256 * 2016));
}

TEST(Grids, NoBlocksIsNothing) {
  TestKernel kernel("*static_cast<int*>(nullptr) = 0;", 32, 0);
  kernel.blocks = 0;
  EXPECT_TRUE(kernel.run().visited_lines.empty());
}

TEST(Grids, SeedsChangeTheSchedule) {
  // Which thread comes last is seen in an unprotected counter of global memory.
  std::vector<int> order(65);
  TestKernel kernel("int* o = static_cast<int*>(a.output.data); o[1 + o[0]++] = t;", 64, 0);
  kernel.arguments.output.data = order.data();
  const auto with = [&](std::uint64_t seed) {
    order.assign(65, 0);
    kernel.run({.seed = seed});
    return order;
  };
  EXPECT_EQ(with(1), with(1));
  EXPECT_NE(with(1), with(2));
}

TEST(Grids, ManyThreadsLaunchAtOnce) {
  TestKernel kernel("shared_store<float>(4 * t, t);\nsync_block();\nshared_load<float>(4 * (t ^ 32));", 64, 256);
  kernel.blocks = 20;
  std::atomic<int> failures = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (std::uint64_t seed = 0; seed < 10; ++seed)
        failures += !kernel.failure({.seed = seed, .max_workers = 2}).empty();
    });
  threads.clear();
  EXPECT_EQ(failures, 0);
}

TEST(Grids, BadLaunchesAreRefused) {
  TestKernel kernel("", 32, 0);
  const auto code = [&](const std::string& entry, std::int64_t blocks, int threads, int shared_bytes) {
    try {
      emulate(*kernel.module, {.entry = entry, .blocks = blocks, .threads = threads, .shared_bytes = shared_bytes}, {});
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  for (int threads : {0, 31, 33, 1056, -32})
    EXPECT_EQ(code("kernel", 1, threads, 0), ErrorCode::invalid_argument) << threads;
  EXPECT_EQ(code("kernel", 1, 32, -1), ErrorCode::invalid_argument);
  EXPECT_EQ(code("kernel", 1, 32, (1 << 20) + 1), ErrorCode::invalid_argument);
  EXPECT_EQ(code("kernel", -1, 32, 0), ErrorCode::invalid_argument);
  EXPECT_EQ(code("other", 1, 32, 0), ErrorCode::not_found);
}

}  // namespace
}  // namespace rankone
