// SPDX-License-Identifier: MIT
// Clusters: what blocks send to each other, when it may be read, and what is wrong with their use.
#include <gtest/gtest.h>

#include <vector>

#include <rankone/error.hpp>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t seeds = 12;
constexpr int shared_bytes = 2064;

// Two blocks of 64 threads. Barrier 2048 of each waits for what the other sends; 2056 says that the other is done with
// what it got.
std::string text_of(const std::string& body) {
  return "if (t == 0) { mbarrier_init(2048, 1); mbarrier_init(2056, 2); fence_async(); }\nsync_cluster();\n"
         "const int other = 1 - block_rank();\n" +
         body + "\nsync_cluster();";
}
std::string failure_of(const std::string& text, std::uint64_t seed, std::vector<float>* output = nullptr) {
  TestKernel kernel(text, 64, shared_bytes);
  kernel.blocks = 4;
  kernel.cluster = 2;
  std::vector<float> ignored(256);
  kernel.arguments.output.data = (output != nullptr ? *output : ignored).data();
  try {
    kernel.run({.seed = seed});
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}
void expect_found(const std::string& text, const std::string& piece) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = failure_of(text, seed);
    EXPECT_NE(failure.find(piece), failure.npos) << "seed " << seed << ": " << piece << " in: " << failure;
  }
}

const std::string write = "shared_store<float>(1024 * block_rank() + 4 * t, 1000.0f * block_index() + t);\n";
const std::string fence = "fence_async();\n", meet = "named_barrier_sync(1, 64);\n";
const std::string send =
    "if (t == 0) { send_to_block(other, 1024 * block_rank(), 256, 2048); "
    "mbarrier_arrive_expecting(2048, 256); }\n";
const std::string wait = "mbarrier_wait(2048, 0);\n";
const std::string read =
    "static_cast<float*>(a.output.data)[64 * block_index() + t] = "
    "shared_load<float>(1024 * other + 4 * t);\n";

TEST(Clusters, WhatIsSentArrives) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::vector<float> output(256, -1.0f);
    EXPECT_EQ(failure_of(text_of(write + fence + meet + send + wait + read), seed, &output), "") << "seed " << seed;
    for (int block = 0; block < 4; ++block)
      for (int t = 0; t < 64; ++t)
        EXPECT_EQ(output[static_cast<std::size_t>(64 * block + t)],
                  1000.0f * static_cast<float>(block ^ 1) + static_cast<float>(t));
  }
}

TEST(Clusters, AReaderWaitsForTheBytes) {
  expect_found(text_of(write + fence + meet + send + read), "shared memory bytes ");
  // An arrival alone says nothing of bytes that the phase does not expect.
  const std::string arrives =
      "if (t == 0) { send_to_block(other, 1024 * block_rank(), 256, 2048); "
      "mbarrier_arrive_expecting(2048, 0); }\n";
  int found = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    found += !failure_of(text_of(write + fence + meet + arrives + wait + read), seed).empty();
  EXPECT_GT(found, 0);
}

TEST(Clusters, WhatIsSentIsFencedAndMet) {
  expect_found(text_of(write + meet + send + wait + read), "missing fence_async");
  expect_found(text_of(write + fence + send + wait + read), "reads shared memory bytes");
}

// The source is read until the other block has the bytes; only then, and when it says so, may it be written again.
TEST(Clusters, TheSourceIsKeptUntilItHasArrived) {
  expect_found(text_of(write + fence + meet + send + meet + write + wait), "send under way");
  const std::string give_back = "if (t < 2) mbarrier_arrive_at(2056, t);\nmbarrier_wait(2056, 0);\n";
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    EXPECT_EQ(failure_of(text_of(write + fence + meet + send + wait + give_back + write), seed), "");
}

TEST(Clusters, TheTargetMustBeFree) {
  const std::string twice = "shared_store<float>(1024 * other + 4 * t, 1.0f);\n";
  int found = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    found +=
        failure_of(text_of(twice + write + fence + meet + send + wait + read), seed).find("race") != std::string::npos;
  EXPECT_EQ(found, static_cast<int>(seeds)) << "the other block's writes come before the send without any order";
}

TEST(Clusters, NobodyLeavesEarly) {
  const std::string begin =
      "if (t == 0) { mbarrier_init(2048, 1); fence_async(); }\nsync_cluster();\nconst int other = 1 - block_rank();\n";
  int gone = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = failure_of(begin + write + fence + meet + send, seed);
    gone += failure.find("block gone") != std::string::npos || failure.find("sends left") != std::string::npos;
  }
  EXPECT_EQ(gone, static_cast<int>(seeds));
}

TEST(Clusters, ABarrierIsThereBeforeOthersUseIt) {
  const std::string text =
      "if (t == 0) mbarrier_init(2048, 1);\nsync_block();\nconst int other = 1 - block_rank();\n"
      "if (t == 0) mbarrier_arrive_at(2048, other);\nmbarrier_wait(2048, 0);\nsync_cluster();";
  expect_found(text, "barrier");
}

// No fence of the sender will do: it reaches its own block's memory alone.
TEST(Clusters, ABarrierIsFencedByWhoInitializesIt) {
  expect_found("if (t == 0) mbarrier_init(2048, 1);\nsync_cluster();\nconst int other = 1 - block_rank();\n" + write +
                   fence + meet + send + wait + "sync_cluster();",
               "missing fence_async: thread ");
}

TEST(Clusters, MisuseIsNamed) {
  expect_found(text_of("if (t == 0) mbarrier_arrive_at(2048, 2);"), "names block 2 of a cluster that has 2");
  expect_found(text_of("if (t == 0) mbarrier_arrive_expecting(2048, -16);"), "bytes expected");
  expect_found(text_of("if (t == 0) send_to_block(other, 8, 16, 2048);"), "multiples of 16");
  expect_found(text_of("if (t == 0) send_to_block(other, 0, 4096, 2048);"), "4096 bytes");
  expect_found(text_of("if (t == 0) mbarrier_arrive_expecting(2048, 32);\nmbarrier_wait(2048, 0);"),
               "waits for 32 bytes");
}

TEST(Clusters, AGridConsistsOfThem) {
  TestKernel kernel("", 64, 0);
  EXPECT_THROW(emulate(*kernel.module, {.entry = "kernel", .blocks = 3, .threads = 64, .cluster = 2}, {}), Error);
  EXPECT_THROW(emulate(*kernel.module, {.entry = "kernel", .blocks = 36, .threads = 64, .cluster = 9}, {}), Error);
}

// Copies that announce themselves: seen by who waits, with nothing else that their thread did.
TEST(Copies, AnnounceThemselves) {
  const auto text = [](const std::string& before, const std::string& after) {
    return "if (t == 0) mbarrier_init(1024, 32);\nsync_block();\n"
           "if (t < 32) {\n" +
           before +
           " copy_async<16>(16 * t, static_cast<const char*>(a.query.data) + 16 * t, 16);\n"
           " mbarrier_arrive_after_copies(1024);\n} else {\n mbarrier_wait(1024, 0);\n" +
           after + "}";
  };
  alignas(16) static float source[128] = {};
  const auto failure = [&](const std::string& body, std::uint64_t seed) {
    TestKernel kernel(body, 64, 2048);
    kernel.arguments.query.data = source;
    return kernel.failure({.seed = seed});
  };
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    EXPECT_EQ(failure(text("", "shared_load<float>(16 * (t % 32 ^ 9));\n"), seed), "");
    EXPECT_NE(
        failure(text("shared_store<float>(1040 + 4 * t, 1.0f);\n", "shared_load<float>(1040 + 4 * (t - 32));\n"), seed),
        "");
    EXPECT_NE(failure("if (t == 0) mbarrier_init(1024, 32);\nsync_block();\nif (t < 32) {\n"
                      " copy_async<16>(16 * t, static_cast<const char*>(a.query.data) + 16 * t, 16);\n"
                      " mbarrier_arrive_after_copies(1024);\n shared_load<float>(16 * t);\n}",
                      seed),
              "");
  }
}

}  // namespace
}  // namespace rankone
