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
constexpr int preferred_stages = 2;               // the next chunk arrives while this one is computed
constexpr int preferred_chunk = 64;
constexpr int preferred_value_tile = 128;  // fewer columns repeat the work on keys and gates for each tile
constexpr int preferred_cluster = 2;
constexpr int preferred_columns = 16;  // of the state a warp, so that it stays in registers

int doublings(int a, int b) {
  return std::abs(std::countl_zero(static_cast<unsigned>(a)) - std::countl_zero(static_cast<unsigned>(b)));
}

// Smaller is better, the first difference decides.
std::array<int, 8> demerits(const Schedule& schedule) {
  // What the Hopper family can run it runs faster; the more stages fit, the less it waits.
  if (schedule.family == Family::hopper)
    return {0,
            schedule.level != preferred_level,
            schedule.prepared,
            doublings(schedule.value_tile, preferred_value_tile),
            doublings(schedule.chunk, preferred_chunk),
            doublings(schedule.cluster, preferred_cluster),
            -schedule.stages,
            0};
  return {1,
          schedule.level != preferred_level,
          schedule.stages != preferred_stages,
          doublings(schedule.value_tile, preferred_value_tile),
          doublings(schedule.chunk, preferred_chunk),
          schedule.value_tile / schedule.warps != preferred_columns,
          0,
          0};
}

}  // namespace

Schedule preferred(const std::vector<Schedule>& legal) {
  return *std::min_element(legal.begin(), legal.end(),
                           [](const Schedule& a, const Schedule& b) { return demerits(a) < demerits(b); });
}

}  // namespace rankone
