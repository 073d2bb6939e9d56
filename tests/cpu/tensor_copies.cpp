// SPDX-License-Identifier: MIT
// Tensor copies: where each element of a box comes to stand, what becomes zero, and what is refused.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/cpu/host_map.hpp"
#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t seeds = 12;
constexpr int rows = 8, columns = 72, tokens = 21, heads = 3, batches = 2;

// A tile at byte 1024, barrier 2048 of one arrival; a block of 64 threads. What the tile holds goes to the output.
const std::string begin = "if (t == 0) { mbarrier_init(2048, 1); fence_async(); }\nsync_block();\n";
const std::string load =
    "if (t == 0) tma_load(1024, a.maps[0], static_cast<int>(a.scalars[0]), static_cast<int>(a.scalars[1]), "
    "static_cast<int>(a.scalars[2]), static_cast<int>(a.scalars[3]), 2048);\n";
const std::string expect = "if (t == 0) mbarrier_arrive_expecting(2048, 1024);\n", wait = "mbarrier_wait(2048, 0);\n";
const std::string meet = "named_barrier_sync(1, 64);\n", fence = "fence_async();\n",
                  first_fences = "if (t == 0) " + fence;
const std::string write = "shared_store<unsigned>(1024 + 16 * t, 7u);\n";
std::string read(const std::string& type) {
  return "{\nconst SwizzledTile<" + type + ", 8> tile{1024};\nconstexpr int n = SwizzledTile<" + type +
         ", 8>::columns;\nfor (int i = t; i < 8 * n; i += 64)\n  static_cast<" + type +
         "*>(a.output.data)[i] = shared_load<" + type + ">(tile.at(i / n, i % n));\n}\n";
}

// All elements differ, and none is zero; rows are a little longer than their columns.
template <class T> struct Tensor4 {
  static constexpr std::int64_t token_stride = (columns + 8) * heads, head_stride = columns + 8,
                                batch_stride = token_stride * tokens;
  alignas(16) T elements[batch_stride * batches];
  Tensor4() {
    for (std::size_t i = 0; i < std::size(elements); ++i) elements[i] = static_cast<T>(i + 1);
  }
  MappedTensor mapped() const {
    constexpr std::int64_t width = sizeof(T);
    return {elements,
            {columns, tokens, heads, batches},
            {token_stride * width, head_stride * width, batch_stride * width},
            static_cast<int>(width),
            rows};
  }
  T at(int column, int token, int head, int batch) const {
    const auto inside = [](int i, int size) { return i >= 0 && i < size; };
    if (!inside(column, columns) || !inside(token, tokens) || !inside(head, heads) || !inside(batch, batches)) return 0;
    return elements[batch * batch_stride + token * token_stride + head * head_stride + column];
  }
};

struct TensorKernel {
  TestKernel kernel;
  Tensor4<unsigned short> tensor;
  unsigned short output[rows * 64] = {};
  explicit TensorKernel(const std::string& body, int shared_bytes = 2056) : kernel(begin + body, 64, shared_bytes) {
    encode_host_map(tensor.mapped(), kernel.arguments.maps[0]);
    kernel.arguments.output.data = output;
  }
  std::string failure(std::uint64_t seed) const { return kernel.failure({.seed = seed}); }
};
void expect_found(const std::string& body, const std::string& piece, int shared_bytes = 2056) {
  const TensorKernel run(body, shared_bytes);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = run.failure(seed);
    EXPECT_NE(failure.find(piece), failure.npos) << "seed " << seed << ": " << piece << " in: " << failure;
  }
}
void expect_fine(const std::string& body) {
  const TensorKernel run(body);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_EQ(run.failure(seed), "");
}

template <class T> void expect_boxes(const char* type) {
  TestKernel kernel(begin + load + expect + wait + read(type), 64, 2056);
  static const Tensor4<T> tensor;
  std::vector<T> output(rows * 128 / sizeof(T));
  encode_host_map(tensor.mapped(), kernel.arguments.maps[0]);
  kernel.arguments.output.data = output.data();
  constexpr int wide = 128 / sizeof(T), far = 1 << 30;
  // Within; over each end and side; wholly outside, near and far.
  const int places[][4] = {{0, 0, 0, 0},       {8, 9, 2, 1},          {64, 5, 1, 0},      {columns - 1, 5, 1, 0},
                           {columns, 5, 1, 0}, {-3, 5, 1, 1},         {-wide, 5, 1, 1},   {0, -3, 0, 1},
                           {0, -rows, 0, 1},   {0, tokens - 3, 1, 1}, {0, tokens, 1, 1},  {0, 4, -1, 1},
                           {0, 4, heads, 0},   {0, 4, 1, -1},         {0, 4, 1, batches}, {-5, tokens - 1, 2, 0},
                           {far, 0, 0, 0},     {-far, 0, 0, 0},       {0, far, 0, 0},     {0, 0, -far, far}};
  std::uint64_t seed = 0;
  for (const auto& place : places) {
    for (int i = 0; i < 4; ++i) kernel.arguments.scalars[i] = static_cast<float>(place[i]);
    ASSERT_EQ(kernel.failure({.seed = ++seed}), "");  // whatever is outside counts among the 1024 bytes
    for (int i = 0; i < rows * wide; ++i)
      ASSERT_EQ(output[static_cast<std::size_t>(i)],
                tensor.at(place[0] + i % wide, place[1] + i / wide, place[2], place[3]))
          << "element " << i << " from " << place[0] << ", " << place[1] << ", " << place[2] << ", " << place[3];
  }
}

TEST(TensorCopies, PutBoxesWherePanelsHaveThem) { expect_boxes<unsigned short>("unsigned short"); }
TEST(TensorCopies, PutBoxesOfFourByteElements) { expect_boxes<unsigned>("unsigned"); }

TEST(TensorCopies, AreWaitedFor) {
  expect_found(load + expect + read("unsigned short") + wait, "shared memory bytes ");
  expect_found(load + "if (t == 0) mbarrier_arrive_expecting(2048, 512);\n" + wait, "waits for ");
  int found = 0;  // it may have come by then
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    found += TensorKernel(load).failure(seed).find("load left under way") != std::string::npos;
  EXPECT_GT(found, 0);
}

TEST(TensorCopies, ComeAfterWhatWasThereAndAFence) {
  expect_found(write + fence + load + expect + wait, "race");
  expect_found(write + meet + load + expect + wait, "missing fence_async");
  expect_found(write + first_fences + meet + load + expect + wait, "missing fence_async");
  expect_fine(write + fence + meet + load + expect + wait);
  expect_fine(write + meet + first_fences + load + expect + wait);
  expect_found(write + meet + "if (t == 1) " + fence + load + expect + wait, "missing fence_async");
}

TEST(TensorCopies, ComeAfterReadersAndAFence) {
  const std::string once = load + expect + wait + read("unsigned short");
  expect_found(once + fence + load, "race");
  expect_found(once + meet + load, "missing fence_async");
  const std::string again = load + expect + "mbarrier_wait(2048, 1);\n" + read("unsigned short");
  expect_fine(once + fence + meet + again);
  expect_fine(once + meet + first_fences + again);
  // What came by this proxy and was never touched needs none.
  expect_fine(load + expect + wait + meet + load + expect + "mbarrier_wait(2048, 1);\n");
}

TEST(TensorCopies, AreForProductsToReadWithoutAFence) {
  const std::string product =
      "float c[16];\nconst MatrixView<true, true, 16, 0> m{1024};\nconst unsigned a4[4] = {};\n"
      "wgmma_fence();\nwgmma<bf16, false>(c, a4, m);\nwgmma_commit();\nwgmma_wait<0>();\n";
  TestKernel kernel(begin + load + expect + wait + product, 128, 2056);
  static const Tensor4<unsigned short> tensor;
  encode_host_map(tensor.mapped(), kernel.arguments.maps[0]);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_EQ(kernel.failure({.seed = seed}), "");
}

TEST(TensorCopies, RefuseWhatTheHardwareWouldNotDo) {
  const auto at = [](int offset) {
    return "if (t == 0) tma_load(" + std::to_string(offset) + ", a.maps[0], 0, 0, 0, 0, 2048);\n";
  };
  expect_found(at(128), "tensor copy: thread 0 (tma_load");
  expect_found(at(-1024), "must start at a multiple of 1024");
  expect_found(at(2048), "end within the block's 2056");
  expect_found("if (t == 0) tma_load(1024, a.maps[1], 0, 0, 0, 0, 2048);\n", "no tensor map: thread 0");
  expect_found("if (t == 0) tma_load(1024, a.maps[0], 0, 0, 0, 0, 2040);\n", "uninitialized barrier");
}

}  // namespace
}  // namespace rankone
