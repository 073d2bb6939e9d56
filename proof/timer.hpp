// SPDX-License-Identifier: MIT
// Milliseconds of launches on a GPU, by events: cold, or back to back in a graph.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace rankone {

double median(std::vector<double> values);

class GpuTimer {
 public:
  using Work = std::function<void(void* stream)>;  // launches on the stream, and does not wait

  explicit GpuTimer(int ordinal);
  ~GpuTimer();

  std::size_t l2_bytes() const;
  std::size_t free_bytes() const;
  // One launch after the L2 cache was overwritten; the median of so many.
  double cold(const Work& work, int launches) const;
  // One launch of `works`, which run in turn, all in one graph; the median over replays. Works that use different
  // memory, together much larger than L2, find nothing of theirs in it.
  double in_graph(const std::vector<Work>& works, int replays) const;
  // Bytes read and written by a copy within the GPU's memory, in 1e9 a second.
  double copy_rate() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rankone
