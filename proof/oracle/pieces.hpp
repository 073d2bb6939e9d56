// SPDX-License-Identifier: MIT
// Independent pieces of work, spread over threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace rankone::recurrence {

// `work` takes the numbers of pieces from next(), which are done once they reach `pieces`. It runs in each thread; no
// result may depend on how many there are. `operations`: multiplications of all pieces together.
template <class Work> void in_parallel(std::int64_t pieces, double operations, const Work& work) {
  constexpr double worth_a_thread = 1e7;  // some milliseconds
  std::atomic<std::int64_t> count = 0;
  const auto next = [&] { return count++; };
  std::vector<std::jthread> helpers;
  const std::int64_t cores = operations < worth_a_thread ? 1 : std::thread::hardware_concurrency();
  for (std::int64_t i = 1; i < std::min(cores, pieces); ++i) helpers.emplace_back([&] { work(next); });
  work(next);
}

}  // namespace rankone::recurrence
