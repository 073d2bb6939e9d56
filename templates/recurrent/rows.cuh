// SPDX-License-Identifier: MIT
// How many rows the batch has.
#pragma once

#include "kernels/sequence.cuh"

namespace rankone {

template <class T> RK_DEVICE long long rows_of_batch(const Arguments& arguments) {
  return is_packed<T>(arguments) ? 1 : arguments.sequences;
}

}  // namespace rankone
