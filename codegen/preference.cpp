// SPDX-License-Identifier: MIT
// The untuned choice: a fixed order of what matters, with its numbers in one place.
#include "codegen/preference.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

namespace rankone {
namespace {

constexpr Level preferred_level = Level::serial;  // the least memory traffic
constexpr int comfortable_bytes = 99 * 1024;      // runs everywhere, and twice on a large multiprocessor
constexpr int preferred_stages = 2;               // the next chunk arrives while this one is computed
constexpr int preferred_chunk = 64;
constexpr int preferred_value_tile = 64;  // fewer columns read q and k again, more leave blocks without work
constexpr int preferred_columns = 16;     // of the state a warp, so that it stays in registers

int octaves(int a, int b) {
  return std::abs(std::countl_zero(static_cast<unsigned>(a)) - std::countl_zero(static_cast<unsigned>(b)));
}

// Smaller is better, the first difference decides.
std::array<int, 6> demerits(const Schedule& schedule, int bytes) {
  return {schedule.level != preferred_level,        bytes > comfortable_bytes,
          schedule.stages != preferred_stages,      octaves(schedule.value_tile, preferred_value_tile),
          octaves(schedule.chunk, preferred_chunk), schedule.value_tile / schedule.warps != preferred_columns};
}

}  // namespace

Schedule preferred(const std::vector<Schedule>& legal, const std::vector<int>& bytes) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < legal.size(); ++i)
    if (demerits(legal[i], bytes[i]) < demerits(legal[best], bytes[best])) best = i;
  return legal[best];
}

}  // namespace rankone
