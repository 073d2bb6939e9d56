// SPDX-License-Identifier: MIT
// Global memory on the CPU device: each kind of fault, planted in a small kernel by each kind of access.
#include "runtime/cpu/global_memory.hpp"

#include <cstddef>
#include <numeric>

#include <gtest/gtest.h>

#include "runtime/cpu/host_map.hpp"
#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr int threads = 64;
// Of `query.data` and `output.data` in TestArguments.
constexpr std::size_t query = sizeof(Arguments), output = query + 3 * sizeof(TensorArgument),
                      workspace = offsetof(Arguments, chunk_states);

const std::string in = "const Global<const float> q = global<const float>(a.query.data);\n",
                  out = "const Global<float> o = global<float>(a.output.data);\n",
                  space = "const Global<float> w = global<float>(a.chunk_states);\n", names = in + out + space;
const std::string load_bulk_done = "if (t == 0) { mbarrier_arrive_expecting(2048, 64); }\nmbarrier_wait(2048, 0);\n";
const std::string init = "if (t == 0) { mbarrier_init(2048, 1); fence_async(); }\nsync_block();\n";

// q: [4, 3, 8] in rows of 16 floats, only read; o: [2, 128]; w: [256] of the workspace.
struct Memory {
  alignas(16) float q[4 * 3 * 16]{}, o[256]{}, w[256]{};
  std::vector<CallTensor> regions() {
    return {{.name = "q", .data = q, .sizes = {4, 3, 8}, .strides = {48, 16, 1}, .rank = 3, .argument = query},
            {.name = "o",
             .data = o,
             .sizes = {2, 128},
             .strides = {128, 1},
             .rank = 2,
             .writable = true,
             .initialized = false,
             .argument = output},
            {.name = "workspace",
             .data = w,
             .sizes = {256},
             .strides = {1},
             .writable = true,
             .initialized = false,
             .argument = workspace}};
  }
};

// What the first of these kernels that fails reports, or nothing; they are one call. Any seed will do for what is sure
// to be found.
std::string failure_of(const std::vector<std::string>& bodies, int blocks = 1, int cluster = 1,
                       std::uint64_t seed = 1) {
  Memory memory;
  const std::vector<CallTensor> regions = memory.regions();
  GlobalMemory global(regions);
  for (const std::string& body : bodies) {
    TestKernel kernel(names + body, threads, 4096);
    kernel.blocks = blocks;
    kernel.cluster = cluster;
    kernel.memory = &global;
    kernel.arguments.query.data = memory.q;
    kernel.arguments.output.data = memory.o;
    kernel.arguments.chunk_states = memory.w;
    const MappedTensor tensor{
        .base = memory.q, .sizes = {8, 3, 4, 1}, .strides = {64, 192, 768}, .element_bytes = 4, .box_tokens = 3};
    encode_host_map(tensor, kernel.arguments.maps[0]);
    MappedTensor longer = tensor;
    longer.sizes[2] = 5;
    encode_host_map(longer, kernel.arguments.maps[1]);
    if (std::string failure = kernel.failure({.seed = seed}); !failure.empty()) return failure;
  }
  return {};
}

void expect_found(const std::string& failure, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(failure.find(part), std::string::npos) << part << " in: " << failure;
  EXPECT_EQ(failure.find('\n'), std::string::npos) << failure;
}
void expect_found(const std::string& body, const std::vector<std::string>& parts, int blocks) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) expect_found(failure_of({body}, blocks, 1, seed), parts);
}

TEST(GlobalMemory, TakesWhatIsRight) {
  EXPECT_EQ(failure_of({"global_store<float>(o + t, global_load<float>(q + 16 * (t % 12) + t % 8));\nsync_block();\n"
                        "global_store<float>(w + t, global_load<float>(o + (63 - t)));"}),
            "");
  EXPECT_EQ(failure_of({"global_store<float>(w + (64 * block_index() + t), 1.0f);",
                        "global_store<float>(o + (64 * block_index() + t), global_load<float>(w + t));"},
                       2),
            "");
  EXPECT_EQ(failure_of({init + "if (t == 0) load_bulk(0, q + 16, 32, 2048);\n"
                               "if (t == 0) mbarrier_arrive_expecting(2048, 32);\nmbarrier_wait(2048, 0);\n"
                               "if (t < 8) shared_store<float>(4 * t, 2.0f);\nfence_async();\nsync_block();\n"
                               "if (t == 0) { store_bulk(o, 0, 32); bulk_commit(); bulk_wait_read<0>(); }"}),
            "");
  EXPECT_EQ(failure_of({init + "if (t == 0) { fence_async(); tma_load(0, a.maps[0], 0, 0, 3, 0, 2048);\n"
                               "mbarrier_arrive_expecting(2048, 384); }\nmbarrier_wait(2048, 0);"}),
            "");
}

TEST(GlobalMemory, GivesRightNumbers) {
  Memory memory;
  std::iota(memory.q, memory.q + 192, 0.0f);
  const std::vector<CallTensor> regions = memory.regions();
  GlobalMemory global(regions);
  TestKernel kernel(names +
                        "copy_async<16>(16 * t, q + 16 * (t % 12), 16);\ncopy_commit();\ncopy_wait<0>();\n"
                        "global_store<float>(o + t, shared_load<float>(16 * t + 4));",
                    threads, 4096);
  kernel.memory = &global;
  kernel.arguments.query.data = memory.q;
  kernel.arguments.output.data = memory.o;
  kernel.arguments.chunk_states = memory.w;
  kernel.run();
  for (int t = 0; t < threads; ++t) EXPECT_EQ(memory.o[t], 16 * (t % 12) + 1);
}

TEST(GlobalMemory, FindsWhatIsOutOfBounds) {
  expect_found(
      "if (t == 5) global_load<float>(q + 3 * 48 + 2 * 16 + 8);",
      {"out of bounds: thread 5 of block 0 (global_load at line", "touches 4 bytes at q,", "0 bytes behind its last"},
      1);
  expect_found("if (t == 0) global_load<float>(q + -1);", {"out of bounds", "q, 4 bytes before its first element"}, 1);
  expect_found("if (t == 0) global_load<float>(q + 48 + 11);", {"out of bounds", "q[1, 0, 7] and a gap"}, 1);
  expect_found("if (t == 0) global_store<float>(o + 256, 1.0f);",
               {"out of bounds", "global_store", "o, 0 bytes behind"}, 1);
  expect_found("copy_async<16>(16 * t, q + 8, 16);", {"out of bounds", "copy_async", "q[0, 0, 7] and a gap"}, 1);
  expect_found("copy_async<16>(16 * t, q + 8, 0);\ncopy_commit();\ncopy_wait<0>();\nif (t == 0) global_load<float>(w);",
               {"unwritten"}, 1);
  expect_found(init + "if (t == 0) load_bulk(0, q, 64, 2048);",
               {"out of bounds", "load_bulk", "64 bytes at q[0, 0, 0], beyond"}, 1);
  expect_found(
      "if (t < 32) shared_store<Vector16>(16 * t, Vector16{});\nfence_async();\nsync_block();\n"
      "if (t == 0) store_bulk(o + 252, 0, 32);",
      {"out of bounds", "store_bulk", "32 bytes at o[1, 124], beyond"}, 1);
  expect_found(init + "if (t == 0) tma_load(0, a.maps[1], 0, 0, 4, 0, 2048);",
               {"out of bounds", "tma_load", "q, 32 bytes behind"}, 1);
  expect_found("if (t == 0) global_load<int>(a.value.data);", {"out of bounds", "no tensor of the call"}, 1);
}

TEST(GlobalMemory, FindsWhatIsMisaligned) {
  expect_found("if (t == 1) global_load<Vector16>(q + 17);",
               {"misaligned: thread 1 of block 0", "q[0, 1, 1]", "no multiple of 16"}, 1);
  expect_found("if (t == 1) global_store<Vector16>(o + 2, Vector16{});", {"misaligned", "global_store", "o[0, 2]"}, 1);
  expect_found("copy_async<16>(16 * t, q + 1, 4);", {"misaligned", "copy_async", "q[0, 0, 1]", "no multiple of 16"},
               1);
  expect_found("copy_async<8>(16 * t, q + 1, 8);", {"misaligned", "copy_async", "q[0, 0, 1]", "no multiple of 8"}, 1);
  expect_found(init + "if (t == 0) load_bulk(0, q + 1, 16, 2048);", {"misaligned", "load_bulk", "q[0, 0, 1]"}, 1);
}

TEST(GlobalMemory, FindsReadsOfWhatNobodyWrote) {
  expect_found("global_store<float>(w + t, 1.0f);\nsync_block();\nif (t == 0) global_load<float>(w + 64);",
               {"unwritten memory: thread 0 of block 0 (global_load", "workspace[64]", "no kernel of this call wrote"},
               1);
  expect_found("if (t == 0) global_load<Vector16>(o + 4);", {"unwritten memory", "16 bytes at o[0, 4]"}, 1);
  expect_found("copy_async<16>(16 * t, w, 16);", {"unwritten memory", "copy_async", "workspace[0]"}, 1);
  expect_found(init + "if (t == 0) load_bulk(0, w, 64, 2048);", {"unwritten memory", "load_bulk", "workspace[0]"}, 1);
}

TEST(GlobalMemory, FindsWritesToInputs) {
  expect_found("if (t == 3) global_store<float>(global<float>(a.query.data) + 18, 0.0f);",
               {"input written: thread 3 of block 0 (global_store", "q[0, 1, 2]"}, 1);
  expect_found(
      "if (t < 4) shared_store<float>(4 * t, 0.0f);\nfence_async();\nsync_block();\n"
      "if (t == 0) store_bulk(a.query.data, 0, 16);",
      {"input written", "store_bulk", "q[0, 0, 0]"}, 1);
}

TEST(GlobalMemory, FindsRacesOfThreads) {
  expect_found("global_store<float>(w + t, 1.0f);\nglobal_store<float>(o + t, global_load<float>(w + (t ^ 32)));",
               {"workspace["}, 1);
  expect_found("global_store<float>(w, 1.0f);", {"write-write race: thread", "workspace[0]", "no barrier between them"},
               1);
  expect_found(
      "global_store<float>(w + t, 1.0f);\nsync_block();\nglobal_load<float>(w + (t ^ 32));\n"
      "global_store<float>(w + t, 2.0f);",
      {" race: thread", "workspace[", "no barrier between them"}, 1);
  // Two readers of one word, and a third thread that comes after one of them alone.
  expect_found(init +
                   "if (t == 0) global_store<float>(w, 1.0f);\nsync_block();\nif (t != 63) global_load<float>(w);\n"
                   "sync_warp();\nif (t == 63) global_store<float>(w, 2.0f);",
               {"race", "workspace[0]", "no barrier between them"}, 1);
  // A copy reads until it has been waited for, and the thread's own store may come first.
  expect_found(
      "global_store<Vector16>(w + 4 * t, Vector16{});\ncopy_async<16>(16 * t, w + 4 * t, 16);\n"
      "global_store<float>(w + 4 * t, 2.0f);",
      {"read-write race", "workspace[", "the copy under way"}, 1);
  EXPECT_EQ(failure_of({"global_store<Vector16>(w + 4 * t, Vector16{});\ncopy_async<16>(16 * t, w + 4 * t, 16);\n"
                        "copy_commit();\ncopy_wait<0>();\nglobal_store<float>(w + 4 * t, 2.0f);"}),
            "");
  // Bulk copies have a proxy of their own, which a barrier alone does not order after stores.
  expect_found(
      init + "if (t < 16) global_store<float>(w + t, 1.0f);\nsync_block();\nif (t == 0) load_bulk(0, w, 64, 2048);",
      {"write-read race", "load_bulk", "workspace[0]"}, 1);
  expect_found(
      "if (t < 4) shared_store<float>(4 * t, 0.0f);\nfence_async();\nsync_block();\n"
      "if (t == 0) { store_bulk(w, 0, 16); bulk_commit(); bulk_wait_read<0>(); global_load<float>(w); }",
      {"write-read race", "workspace[0]", "the copy under way"}, 1);
}

TEST(GlobalMemory, FindsRacesOfBlocks) {
  expect_found("global_store<float>(w + t, 1.0f);",
               {"write-write race", "workspace[", "of block", "no order between blocks"}, 2);
  expect_found("if (block_index() == 0) global_store<float>(w + t, 1.0f);\nelse global_load<float>(w + t);",
               {"workspace["}, 2);
  for (const int blocks : {2, 5})
    expect_found(
        failure_of({"if (block_index() == 0) global_store<float>(w + t, 1.0f);",
                    "if (block_index() != 1) global_load<float>(w + t);\nelse global_store<float>(w + t, 2.0f);"},
                   blocks),
        {"race: thread", "workspace[", "no order between blocks"});
  expect_found(
      "if (t < 4) shared_store<float>(4 * t, 0.0f);\nfence_async();\nsync_block();\n"
      "if (t == 0) { store_bulk(o + 8, 0, 16); bulk_commit(); bulk_wait_read<0>(); }",
      {"write-write race", "store_bulk", "o[0, 8]", "of block"}, 2);
  expect_found(failure_of({"if (block_index() == 0) global_store<float>(w + t, 1.0f);",
                           "if (block_index() == 0) global_store<float>(w + t, 1.0f);\nelse\n"
                           "copy_async<16>(16 * t, w + 4 * (t % 16), 16);"},
                          2),
               {"race", "workspace[", "no order between blocks"});
}

TEST(GlobalMemory, OrdersTheBlocksOfAClusterByItsBarrier) {
  const std::string store = "if (block_index() == 0) global_store<float>(w + t, 1.0f);\n",
                    load = "if (block_index() == 1) global_load<float>(w + t);\n";
  EXPECT_EQ(failure_of({store + "sync_cluster();\n" + load}, 2, 2), "");
  expect_found(failure_of({"sync_cluster();\n" + store + load}, 2, 2), {"workspace["});
}

}  // namespace
}  // namespace rankone
