// SPDX-License-Identifier: MIT
// Bulk copies: what is loaded may be read once its bytes have come, what is stored may be written once it was read.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t seeds = 12;

// Barrier 1024 of one arrival; a block of 64 threads.
std::string text_of(const std::string& body) {
  return "if (t == 0) { mbarrier_init(1024, 1); fence_async(); }\nsync_block();\n" + body;
}
const std::string load = "if (t == 0) load_bulk(0, a.query.data, 256, 1024);\n";
const std::string expect = "if (t == 0) mbarrier_arrive_expecting(1024, 256);\n";
const std::string wait = "mbarrier_wait(1024, 0);\n";
const std::string read = "static_cast<float*>(a.output.data)[t] = shared_load<float>(4 * t);\n";

const std::string write = "shared_store<float>(4 * t, 7.0f + t);\n";
const std::string fence = "fence_async();\n", meet = "named_barrier_sync(1, 64);\n";
const std::string store = "if (t == 0) store_bulk(a.output.data, 0, 256);\n";
const std::string commit = "if (t == 0) bulk_commit();\n", wait_read = "if (t == 0) bulk_wait_read<0>();\n";

struct BulkKernel {
  TestKernel kernel;
  alignas(16) float source[64] = {}, output[64] = {};
  explicit BulkKernel(const std::string& body) : kernel(text_of(body), 64, 1032) {
    for (int i = 0; i < 64; ++i) source[i] = static_cast<float>(i) + 0.5f;
    kernel.arguments.query.data = source;
    kernel.arguments.output.data = output;
  }
  std::string failure(std::uint64_t seed) const { return kernel.failure({.seed = seed}); }
};
void expect_found(const std::string& body, const std::string& piece) {
  const BulkKernel run(body);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = run.failure(seed);
    EXPECT_NE(failure.find(piece), failure.npos) << "seed " << seed << ": " << piece << " in: " << failure;
  }
}

TEST(BulkLoads, Arrive) {
  const BulkKernel run(load + expect + wait + read);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    EXPECT_EQ(run.failure(seed), "");
    for (int i = 0; i < 64; ++i) EXPECT_EQ(run.output[i], run.source[i]);
  }
}

TEST(BulkLoads, NeedABarrierThatIsFenced) {
  const auto failure = [](const std::string& before, const std::string& after) {
    TestKernel kernel(
        "if (t == 32) { mbarrier_init(1024, 1); " + before + " }\nsync_block();\n" + after + load + expect, 64, 1032);
    alignas(16) float source[64] = {};
    kernel.arguments.query.data = source;
    return kernel.failure({.seed = 1});
  };
  EXPECT_NE(failure("", "").find("missing fence_async: thread 0 (load_bulk"), std::string::npos);
  EXPECT_EQ(failure("fence_async();", "").find("missing fence_async"), std::string::npos);
  EXPECT_EQ(failure("", "if (t == 0) fence_async();\n").find("missing fence_async"), std::string::npos);
}

TEST(BulkLoads, AreWaitedFor) {
  expect_found(load + expect + read + wait, "shared memory bytes ");
  expect_found(load + "if (t == 0) mbarrier_arrive_expecting(1024, 512);\n" + wait, "waits for 256 bytes");
  int found = 0;  // it may have come by then
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    found += BulkKernel(load).failure(seed).find("load left under way") != std::string::npos;
  EXPECT_GT(found, 0);
}

TEST(BulkLoads, ComeAfterWhatWasThere) {
  expect_found(write + fence + load + expect + wait, "race");
  expect_found(write + meet + load + expect + wait, "missing fence_async");
  for (const std::string& fenced : {fence + meet, meet + "if (t == 0) fence_async();\n"}) {
    const BulkKernel run(write + fenced + load + expect + wait + read);
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_EQ(run.failure(seed), "");
  }
}

TEST(BulkStores, Arrive) {
  const BulkKernel run(write + fence + meet + store + commit + wait_read);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    EXPECT_EQ(run.failure(seed), "");
    for (int i = 0; i < 64; ++i) EXPECT_EQ(run.output[i], 7.0f + static_cast<float>(i));
  }
}

TEST(BulkStores, ReadWhatWasFencedAndMet) {
  expect_found(write + meet + store + commit + wait_read, "missing fence_async");
  expect_found(write + fence + store + commit + wait_read, "reads shared memory bytes");
}

TEST(BulkStores, AreWaitedForBeforeTheirSourceIsWritten) {
  const std::string all = write + fence + meet + store + commit;
  expect_found(all + meet + write + wait_read, "store under way");
  expect_found(all, "store left under way");
  expect_found(write + fence + meet + store + wait_read, "store left under way");
  expect_found(all + "if (t == 0) bulk_wait_read<1>();\n", "store left under way");
  const BulkKernel run(all + wait_read + meet + write);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_EQ(run.failure(seed), "");
}

// That a load is done says nothing of a store that the same thread issued later.
TEST(BulkStores, AreNotWaitedForByLoads) {
  expect_found(write + fence + meet + store + commit + "if (t == 0) load_bulk(512, a.query.data, 256, 1024);\n" +
                   expect + wait + write + wait_read,
               "store under way");
}

// Each of two blocks loads a half, for both.
TEST(Bulk, MisuseIsNamed) {
  expect_found("if (t == 0) load_bulk(8, a.query.data, 16, 1024);", "multiples of 16");
  expect_found("if (t == 0) store_bulk(a.output.data, 0, 4096);", "4096 bytes");
  expect_found("if (t == 0) load_bulk(0, static_cast<char*>(a.query.data) + 4, 16, 1024);", "no multiple of 16");
}

}  // namespace
}  // namespace rankone
