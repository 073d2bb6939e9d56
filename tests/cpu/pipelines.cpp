// SPDX-License-Identifier: MIT
// A warp-specialized kernel as a whole: warpgroups that load, help and multiply, and each thing that orders them.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/cpu/kernel.hpp"

namespace rankone {
namespace {

// For each turn a loader brings a 16 x 64 matrix b (asynchronous copies) and the helpers its scale; the helpers scale
// it into a second ring, and two warpgroups add a b to their sums, where a holds 64 rows for each.
constexpr int turns = 5;
constexpr const char* body = R"(
constexpr int stages = 2, turns = 5;
constexpr int raw = 0, ready = stages * 2048, scales = 2 * ready, left = 2 * ready + 1024, bars = left + 2 * 8192;
constexpr int raw_full = bars, raw_empty = bars + 64, ready_full = bars + 128, ready_empty = bars + 192;
using A = MatrixView<true, true, 16, 1024>;
using B = MatrixView<false, true, 2048, 1024>;
auto swizzle = [](int at) { return at ^ (at / 128 % 8 * 16); };
const float* in = static_cast<const float*>(a.query.data);
const unsigned short* steps = static_cast<const unsigned short*>(a.key.data);
if (t == 0)
  for (int s = 0; s < stages; ++s) {
    mbarrier_init(raw_full + 8 * s, 128); mbarrier_init(raw_empty + 8 * s, 4);
    mbarrier_init(ready_full + 8 * s, 128); mbarrier_init(ready_empty + 8 * s, 2);
  }
for (int i = t; i < 128 * 16; i += 512)
  shared_store(swizzle(left + i / 16 * 128 + i % 16 * 2), Element<bf16>::from(in[i]));
fence_async();  // left
sync_block();
if (t < 128) {
  release_registers<40>();
  for (int turn = 0; turn < turns; ++turn) {
    const int stage = turn % stages, parity = turn / stages % 2;
    mbarrier_wait(raw_empty + 8 * stage, parity ^ 1);  // raw
    copy_async<16>(raw + 2048 * stage + 16 * t, steps + turn * 1024 + 8 * t, 16);
    copy_commit();
    copy_wait<0>();
    mbarrier_arrive(raw_full + 8 * stage);  // raw
  }
} else if (t < 256) {
  for (int turn = 0; turn < turns; ++turn) {
    const int stage = turn % stages, parity = turn / stages % 2, me = t - 128;
    if (me < 16) shared_store<float>(scales + 4 * me, me % 4);
    named_barrier_sync(1, 128);  // scales
    mbarrier_wait(raw_full + 8 * stage, parity);  // raw
    Vector16 v = shared_load<Vector16>(raw + 2048 * stage + 16 * me);
    const float scale = shared_load<float>(scales + 4 * (me / 8));
    for (auto& word : v.word) {
      float low, high;
      Element<bf16>::unpack(word, low, high);
      word = Element<bf16>::pack(low * scale, high * scale);
    }
    sync_warp();  // its lanes have read
    if (me % 32 == 0) mbarrier_arrive(raw_empty + 8 * stage);  // raw
    mbarrier_wait(ready_empty + 8 * stage, parity ^ 1);  // ready
    shared_store(swizzle(ready + 2048 * stage + me / 8 * 128 + me % 8 * 16), v);
    fence_async();  // ready
    mbarrier_arrive(ready_full + 8 * stage);  // ready
    named_barrier_sync(1, 128);  // scales are read
  }
} else {
  claim_registers<208>();
  const int half = t / 128 - 2;
  float c[32] = {};
  for (int turn = 0; turn < turns; ++turn) {
    const int stage = turn % stages, parity = turn / stages % 2;
    mbarrier_wait(ready_full + 8 * stage, parity);  // ready
    wgmma_fence();
    wgmma<bf16, true>(c, A{left + half * 8192}, B{ready + 2048 * stage});
    wgmma_commit();
    wgmma_wait<0>();
    if (t % 128 == 0) mbarrier_arrive(ready_empty + 8 * stage);  // ready
  }
  const int row = t % 128 / 32 * 16 + t % 32 / 4 + half * 64;
  for (int i = 0; i < 32; ++i)
    static_cast<float*>(a.output.data)[(row + i % 4 / 2 * 8) * 64 + i / 4 * 8 + t % 4 * 2 + i % 2] = c[i];
}
)";

struct Pipeline : TestKernel {
  std::vector<float> left = std::vector<float>(128 * 16), out = std::vector<float>(128 * 64);
  std::vector<std::uint16_t> steps = std::vector<std::uint16_t>(turns * 16 * 64 + 8);

  Pipeline() : TestKernel(body, 512, 1024 * 26) {
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = static_cast<float>(static_cast<int>(i * 37 % 61) - 30) / 8;
    for (std::size_t i = 0; i < steps.size(); ++i)
      steps[i] = static_cast<std::uint16_t>(i % 3 ? 0x3f80 : 0xc000);  // 1 or -2
    arguments.query.data = left.data();
    arguments.key.data = steps.data();
    arguments.output.data = out.data();
  }
  bool right() const {
    for (std::size_t row = 0; row < 128; ++row)
      for (std::size_t column = 0; column < 64; ++column) {
        double sum = 0;
        for (std::size_t turn = 0; turn < turns; ++turn)
          for (std::size_t i = 0; i < 16; ++i)
            sum += double{left[row * 16 + i]} * ((turn * 1024 + i * 64 + column) % 3 ? 1 : -2) *
                   static_cast<double>(i % 4);
        if (out[row * 64 + column] != sum) return false;
      }
    return true;
  }
};

TEST(Pipelines, AreRightUnderEverySchedule) {
  Pipeline kernel;
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    std::fill(kernel.out.begin(), kernel.out.end(), -1.0f);
    ASSERT_EQ(kernel.failure({.seed = seed}), "") << "seed " << seed;
    EXPECT_TRUE(kernel.right()) << "seed " << seed;
  }
}

// Nothing of a block reaches the next one on the same worker.
TEST(Pipelines, BlockAfterBlock) {
  Pipeline kernel;
  kernel.blocks = 4;
  ASSERT_EQ(kernel.failure({.max_workers = 1}), "");
  EXPECT_TRUE(kernel.right());
  EXPECT_EQ(kernel.failure({.max_workers = 1, .check_races = false}), "");
}

TEST(Pipelines, EachSiteRemovedIsNoticed) {
  Pipeline kernel;
  const auto sites = list_sync_sites(kernel.text);
  EXPECT_EQ(sites.size(), 19u);
  for (const SyncSite& site : sites)
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      std::fill(kernel.out.begin(), kernel.out.end(), -1.0f);
      const std::string failure = kernel.failure({.seed = seed, .dropped_line = site.line});
      EXPECT_TRUE(!failure.empty() || !kernel.right()) << site.word << " at line " << site.line << ", seed " << seed;
    }
}

}  // namespace
}  // namespace rankone
