// SPDX-License-Identifier: MIT
// The two walks of a bidirectional variant, each a kernel: from the first token to the last, which reads each token with its
// own write, and from the last to the first, which reads it before. What the first has read waits in the workspace.
#pragma once

#include "recurrent/backward.cuh"
#include "recurrent/checkpoints.cuh"
#include "recurrent/forward.cuh"

namespace rankone {

template <class Policy> struct Upward : Policy { static constexpr Walk walk = Walk::ascending; };
template <class Policy> struct Downward : Policy {
  static constexpr Walk walk = Walk::descending;
  static constexpr Read read = Read::exclusive;
  static constexpr bool has_bonus = false;
};

// Backward, what the output's formula reads: as the forward pass has it before that.
template <class Policy> struct ReadTraits : RecurrentTraits<Policy> { static constexpr bool keeps_reads = true; };
template <class Policy, class Gate> RK_DEVICE void recurrent_reads(const Arguments& arguments) {
  walk_for_reads<ReadTraits<Policy>, Gate>(arguments);
}

}  // namespace rankone
