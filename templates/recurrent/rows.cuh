// SPDX-License-Identifier: MIT
// How many rows the batch has, and how many keys each row of a non-causal variant.
#pragma once

#include "kernels/sequence.cuh"

namespace rankone {

template <class T> RK_DEVICE long long rows_of_batch(const Arguments& arguments) {
  return is_packed<T>(arguments) ? 1 : arguments.sequences;
}

// Tk: launches of this family have no segments whose tokens would stand there.
RK_DEVICE long long key_tokens(const Arguments& arguments) { return arguments.segment_tokens; }

}  // namespace rankone
