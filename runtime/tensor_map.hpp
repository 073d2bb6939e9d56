// SPDX-License-Identifier: MIT
// The maps of a call's tensors, by which the Hopper family's loader may copy them.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/program.hpp"
#include "runtime/call.hpp"
#include "runtime/mapped_tensor.hpp"

namespace rankone {

class LoadedKernels;

// Which tensors of a program's calls have maps; made once, used by every launch.
class TensorMaps {
 public:
  explicit TensorMaps(const Program& program);
  // Encodes those that there can be, and says so in the flags.
  void add(Call& call, const LoadedKernels& kernels) const;

 private:
  struct Mapped {
    int slot = 0;
    std::int64_t columns = 0;
    int element_bytes = 0;
    bool has_key_heads = false;
  };
  std::vector<Mapped> mapped_;
  int box_tokens_ = 0;
};

}  // namespace rankone
