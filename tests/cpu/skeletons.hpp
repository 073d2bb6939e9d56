// SPDX-License-Identifier: MIT
// The forward pass of a variant whose only input is a log-decay `g`, emitted and run on the CPU device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codegen/plan.hpp"
#include "runtime/cpu/emulator.hpp"

namespace rankone {

struct SkeletonCase {
  std::string variant;  // "linear", "simple_gla" or "gla"
  dtype type = dtype::bf16;
  Level level = Level::serial;
  int key_dim = 32, value_dim = 32, chunk = 32, value_tile = 32, warps = 2, stages = 2;
  int tokens = 80;
  bool vectorized = true;
  friend std::ostream& operator<<(std::ostream&, const SkeletonCase&);
};

// Two value heads over one key head; a sequence of `tokens` and an initial state.
class Skeleton {
 public:
  explicit Skeleton(const SkeletonCase& given);
  const std::string& text() const { return text_; }
  // Runs all kernels of the pass and returns the relative error of o and the final state, the larger one; NaN counts as
  // infinite. Lines of sync sites that were visited are added to `visited`.
  double run(const EmulationOptions& options, std::vector<int>* visited = nullptr);
  double bound() const { return case_.type == dtype::bf16 ? 4e-3 : 1e-3; }

 private:
  std::vector<unsigned char> stored(const std::vector<double>& values) const;
  double loaded(const std::vector<unsigned char>& bytes, std::size_t index) const;
  void reference();

  SkeletonCase case_;
  Plan plan_;
  std::string text_;
  std::shared_ptr<HostModule> module_;
  std::vector<unsigned char> q_, k_, v_, g_, o_;
  std::vector<float> initial_, final_;
  std::vector<unsigned char> workspace_;
  std::vector<double> expected_output_, expected_state_;
};

}  // namespace rankone
