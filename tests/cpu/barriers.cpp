// SPDX-License-Identifier: MIT
// Barriers of parts of a block: whom they order, whom they do not, and what is wrong with their use.
#include <gtest/gtest.h>

#include <vector>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t seeds = 12;

void expect_clean(const TestKernel& kernel) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_EQ(kernel.failure({.seed = seed}), "") << "seed " << seed;
}
void expect_found(const TestKernel& kernel, std::initializer_list<std::string> pieces) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = kernel.failure({.seed = seed});
    EXPECT_NE(failure, "") << "seed " << seed;
    for (const std::string& piece : pieces)
      EXPECT_NE(failure.find(piece), failure.npos) << "seed " << seed << ": " << piece << " in: " << failure;
  }
}

// Warp 0 writes 32 words and arrives, the others wait and read.
std::string handed_over(const std::string& arrive, const std::string& wait) {
  return "if (t == 0) mbarrier_init(1024, 32);\nsync_block();\n"
         "if (t < 32) {\n shared_store<float>(4 * t, t);\n " +
         arrive + "\n} else {\n " + wait + "\n shared_load<float>(4 * (t % 32 ^ 5));\n}";
}

TEST(Barriers, AnArrivalIsSeenByWhoWaits) {
  expect_clean(TestKernel(handed_over("mbarrier_arrive(1024);", "mbarrier_wait(1024, 0);"), 96, 1032));
}

TEST(Barriers, WhoDoesNotWaitIsNotOrdered) {
  expect_found(TestKernel(handed_over("mbarrier_arrive(1024);", ""), 96, 1032), {" shared memory bytes "});
  // The other parity is that of the phase before the first: nothing to wait for, or else for ever.
  expect_found(TestKernel(handed_over("mbarrier_arrive(1024);", "mbarrier_wait(1024, 1);"), 96, 1032), {""});
}

TEST(Barriers, AnArrivalPublishesWhatCameBeforeIt) {
  expect_found(TestKernel("if (t == 0) mbarrier_init(1024, 32);\nsync_block();\n"
                          "if (t < 32) { mbarrier_arrive(1024);\nshared_store<float>(4 * t, t); }\n"
                          "else { mbarrier_wait(1024, 0); shared_load<float>(4 * (t - 32)); }",
                          64, 1032),
               {" shared memory bytes "});
}

// Lane 0 arrives for its warp: only after sync_warp has it seen the other lanes' writes.
TEST(Barriers, OneLaneArrivesForItsWarp) {
  const auto kernel = [](const std::string& sync) {
    return TestKernel(
        "if (t == 0) mbarrier_init(1024, 1);\nsync_block();\n"
        "if (t < 32) {\n shared_store<float>(4 * t, t);\n" +
            sync +
            "\n if (t == 0) mbarrier_arrive(1024);\n} else {\n mbarrier_wait(1024, 0);\n"
            " shared_load<float>(4 * (t - 32));\n}",
        64, 1032);
  };
  expect_clean(kernel("sync_warp();"));
  expect_found(kernel(""), {" shared memory bytes "});
}

TEST(Barriers, OrderIsHandedOn) {
  // 0 writes, 1 waits for it and arrives elsewhere, 2 waits for 1 alone.
  expect_clean(
      TestKernel("if (t == 0) { mbarrier_init(1024, 1); mbarrier_init(1032, 1); }\nsync_block();\n"
                 "if (t == 0) { shared_store<float>(0, 1); mbarrier_arrive(1024); }\n"
                 "if (t == 33) { mbarrier_wait(1024, 0); mbarrier_arrive(1032); }\n"
                 "if (t == 66) { mbarrier_wait(1032, 0); shared_load<float>(0); shared_store<float>(0, 2); }",
                 96, 1040));
}

TEST(Barriers, EachReaderMustArriveBeforeTheNextWrite) {
  // 96 threads read one word; all but one of them arrive, and in its stead a thread that has not read.
  const auto kernel = [](const std::string& who) {
    const std::string instead = who == "true" ? "" : " if (t == 97) mbarrier_arrive(1024);\n";
    return TestKernel(
        "if (t == 0) { mbarrier_init(1024, 96); shared_store<float>(0, 1); }\nsync_block();\n"
        "if (t < 96) {\n shared_load<float>(0);\n if (" +
            who + ") mbarrier_arrive(1024);\n} else {\n" + instead +
            " mbarrier_wait(1024, 0);\n if (t == 96) shared_store<float>(0, 2);\n}",
        128, 1032);
  };
  expect_clean(kernel("true"));
  for (const char* silent : {"t != 0", "t != 31", "t != 40", "t != 95"})
    expect_found(kernel(silent), {" race: thread ", "shared memory bytes 0 to 3"});
}

// A ring of stages: a loader fills them with asynchronous copies, two consumers read each and give it back.
std::string ring(const std::string& fill, const std::string& empty_wait, const std::string& full_wait,
                 const std::string& give_back) {
  return "constexpr int stages = 3, turns = 11, full = 4096, empty = 4160;\n"
         "if (t == 0) for (int s = 0; s < stages; ++s) { mbarrier_init(full + 8 * s, 32); mbarrier_init(empty + 8 * s, 64); "
         "}\nsync_block();\n"
         "const float* in = static_cast<const float*>(a.query.data);\n"
         "float sum = 0;\n"
         "for (int turn = 0; turn < turns; ++turn) {\n"
         "  const int stage = turn % stages, parity = turn / stages % 2;\n"
         "  if (t < 32) {\n" +
         empty_wait + "\n    copy_async<16>(512 * stage + 16 * t, in + 128 * turn + 4 * t, 16);\n    copy_commit();\n" +
         fill + "\n  } else {\n" + full_wait +
         "\n    for (int i = 0; i < 128; ++i) sum += shared_load<float>(512 * stage + 4 * i);\n" + give_back +
         "\n  }\n}\nif (t >= 32) static_cast<float*>(a.output.data)[t - 32] = sum;";
}
constexpr const char *ring_fill = "    copy_wait<0>();\n    mbarrier_arrive(full + 8 * stage);",
                     *ring_empty = "    mbarrier_wait(empty + 8 * stage, parity ^ 1);",
                     *ring_full = "    mbarrier_wait(full + 8 * stage, parity);",
                     *ring_back = "    mbarrier_arrive(empty + 8 * stage);";

TEST(Barriers, ARingOfStages) {
  std::vector<float> in(128 * 11), out(64);
  double sum = 0;
  for (std::size_t i = 0; i < in.size(); ++i) sum += in[i] = static_cast<float>(i % 17);
  TestKernel kernel(ring(ring_fill, ring_empty, ring_full, ring_back), 96, 4224);
  kernel.arguments.query.data = in.data();
  kernel.arguments.output.data = out.data();
  for (std::uint64_t seed = 1; seed <= 2 * seeds; ++seed) {
    out.assign(64, 0.0f);
    ASSERT_EQ(kernel.failure({.seed = seed}), "") << "seed " << seed;
    for (const float each : out) ASSERT_EQ(each, sum);
  }
  std::vector<std::string> words;
  for (const SyncSite& site : list_sync_sites(kernel.text)) {
    words.push_back(site.word);
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
      EXPECT_NE(kernel.failure({.seed = seed, .dropped_line = site.line}), "") << site.word << " at line " << site.line;
  }
  EXPECT_EQ(words, (std::vector<std::string>{"sync_block", "mbarrier_wait", "copy_commit", "copy_wait",
                                             "mbarrier_arrive", "mbarrier_wait", "mbarrier_arrive"}));
}

TEST(Barriers, ARingWithTheWrongParity) {
  std::vector<float> in(128 * 11), out(64);
  for (const std::string& body :
       {ring(ring_fill, "    mbarrier_wait(empty + 8 * stage, parity);", ring_full, ring_back),
        ring(ring_fill, ring_empty, "    mbarrier_wait(full + 8 * stage, 0);", ring_back)}) {
    TestKernel kernel(body, 96, 4224);
    kernel.arguments.query.data = in.data();
    kernel.arguments.output.data = out.data();
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_NE(kernel.failure({.seed = seed}), "");
  }
}

TEST(Barriers, MustBeInitializedAndThatPublished) {
  expect_found(TestKernel("mbarrier_arrive(0);", 32, 8), {"uninitialized barrier: thread ", "mbarrier_arrive"});
  expect_found(TestKernel("if (t == 0) mbarrier_init(0, 32);\nmbarrier_arrive(0);", 32, 8),
               {"mbarrier_arrive at line"});
  expect_found(TestKernel("if (t == 0) mbarrier_init(0, 64);\nsync_warp();\nmbarrier_arrive(0);", 64, 8),
               {"mbarrier_arrive at line"});
  expect_clean(TestKernel("if (t == 0) mbarrier_init(0, 32);\nsync_warp();\nmbarrier_arrive(0);", 32, 8));
  expect_found(
      TestKernel("if (t == 0) { mbarrier_init(0, 1);\nshared_store<float>(4, 1); mbarrier_arrive(0); }", 32, 8),
      {"uninitialized barrier"});
}

TEST(Barriers, BadArguments) {
  expect_found(TestKernel("if (t == 0) mbarrier_init(4, 1);", 32, 16), {"misaligned", "no multiple of 8"});
  expect_found(TestKernel("if (t == 0) mbarrier_init(16, 1);", 32, 16), {"out of range"});
  expect_found(TestKernel("if (t == 0) mbarrier_init(0, 0);", 32, 16), {"barrier of 0 arrivals"});
  expect_found(TestKernel("if (t == 0) { mbarrier_init(0, 1); mbarrier_wait(0, 2); }", 32, 16), {"parity 2"});
  expect_found(TestKernel("named_barrier_sync(0, 32);", 32, 0), {"asks for barrier 0 of 32 threads"});
  expect_found(TestKernel("named_barrier_sync(16, 32);", 32, 0), {"asks for barrier 16"});
  expect_found(TestKernel("named_barrier_sync(1, 48);", 64, 0), {"of 48 threads"});
  expect_found(TestKernel("named_barrier_sync(1, 96);", 64, 0), {"of 96 threads"});
}

TEST(Barriers, OneArrivalTooMany) {
  // Whoever comes last, some thread finds the phase over that it has not waited for.
  expect_found(TestKernel("if (t == 0) mbarrier_init(0, 63);\nsync_block();\nmbarrier_arrive(0);", 64, 8),
               {"one arrival too many", "byte 0"});
}

// The one who waits for the first phase holds up nobody: the second may end before it looks.
TEST(Barriers, AWaitMayMissItsPhase) {
  const auto kernel = [](const std::string& answer) {
    return TestKernel(
        "if (t == 0) { mbarrier_init(0, 1); mbarrier_init(8, 1); }\nsync_block();\n"
        "if (t == 0) { mbarrier_arrive(0);\n" +
            (answer.empty() ? "" : std::string("mbarrier_wait(8, 0);\n")) +
            "mbarrier_arrive(0); }\nif (t == 32) { mbarrier_wait(0, 0);\n" + answer + "}",
        64, 16);
  };
  expect_clean(kernel("mbarrier_arrive(8);"));
  bool missed = false;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const std::string failure = kernel("").failure({.seed = seed});
    missed |= failure.find("missed phase: thread 32 (mbarrier_wait") != failure.npos;
  }
  EXPECT_TRUE(missed);
}

TEST(Barriers, DeadlocksNameTheBarrier) {
  TestKernel kernel(
      "if (t == 0) mbarrier_init(8, 33);\nsync_block();\nif (t < 32) mbarrier_arrive(8);\n"
      "else mbarrier_wait(8, 0);",
      64, 16);
  expect_found(kernel,
               {"deadlock", "threads 0-31: exited",
                "threads 32-63: in mbarrier_wait at line " + std::to_string(kernel.line_of("else mbarrier_wait")) +
                    ", parity 0 of the barrier at byte 8, which has 32 of 33 arrivals"});
  expect_found(TestKernel("if (t < 64) named_barrier_sync(3, 96);", 96, 0),
               {"deadlock", "threads 0-63: in named_barrier_sync at line", "barrier 3 of 96 threads"});
}

std::string part_of_a_block(const std::string& sync, const std::string& reader) {
  return "if (t < 64) { shared_store<float>(4 * t, t); }\n" + sync + "\nif (" + reader +
         ") shared_load<float>(4 * (t ^ 32));";
}

TEST(Barriers, NamedOnesOrderThoseWhoCome) {
  expect_clean(TestKernel(part_of_a_block("if (t < 64) named_barrier_sync(1, 64);", "t < 64"), 128, 512));
  expect_clean(TestKernel(part_of_a_block("named_barrier_sync(1, 128);", "t < 64"), 128, 512));
  expect_clean(TestKernel(
      "if (t < 64) {\nnamed_barrier_sync(1, 64);\nnamed_barrier_sync(1, 64);\n} else named_barrier_sync(2, 64);", 128,
      0));
}

TEST(Barriers, NamedOnesDoNotOrderOthers) {
  expect_found(TestKernel("if (t == 0) shared_store<float>(0, 1);\nnamed_barrier_sync(1 + t / 64, 64);\n"
                          "if (t == 64) shared_load<float>(0);",
                          128, 512),
               {"shared memory bytes 0 to 3"});
}

TEST(Barriers, NamedOnesNeedOneNumberOfThreads) {
  expect_found(TestKernel("named_barrier_sync(1, t < 32 ? 64 : 96);", 96, 0), {"must agree"});
  expect_found(TestKernel("named_barrier_sync(1 + t % 2, 32);", 32, 0), {"must agree"});
}

TEST(Barriers, OfTheBlockStillOrderAll) {
  const std::string parts = "if (t == 0) mbarrier_init(1024, 1);\nshared_store<float>(4 * t, t);\n";
  expect_clean(TestKernel(parts + "sync_block();\nshared_load<float>(4 * (t ^ 33));", 64, 1032));
  expect_clean(TestKernel(parts + "sync_warp();\nshared_load<float>(4 * (t ^ 1));", 64, 1032));
  expect_found(TestKernel(parts + "sync_warp();\nshared_load<float>(4 * (t ^ 32));", 64, 1032),
               {" shared memory bytes "});
  expect_found(TestKernel(parts + "shuffle(0, 0);\nshared_load<float>(4 * (t ^ 1));", 64, 1032), {"write-read race"});
}

TEST(Barriers, ABlockKnowsTheSizeOfItsGrid) {
  std::vector<long long> out(5);
  TestKernel kernel("static_cast<long long*>(a.output.data)[block_index()] = block_total();", 32, 0);
  kernel.blocks = 5;
  kernel.arguments.output.data = out.data();
  kernel.run();
  EXPECT_EQ(out, std::vector<long long>(5, 5));
}

}  // namespace
}  // namespace rankone
