// SPDX-License-Identifier: MIT
// What times launches on a device: a graph on a GPU, the wall clock on the CPU.
#pragma once

#include <cstddef>
#include <optional>

#include <rankone/operator.hpp>

#include "proof/problem.hpp"
#include "proof/timer.hpp"

namespace rankone {

class Clock {
 public:
  // `repeats` 0: as many as the device needs for a steady median.
  Clock(const Device& device, int repeats);

  double copy_rate() const;  // GB/s, bytes read and bytes written together
  // Median milliseconds of a launch of the problem's pass; `bytes` becomes those of its inputs and outputs.
  double milliseconds(const Operator& op, const Problem& problem, std::size_t& bytes) const;

 private:
  std::optional<GpuTimer> gpu_;
  int repeats_;
};

}  // namespace rankone
