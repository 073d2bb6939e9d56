// SPDX-License-Identifier: MIT
// Global memory, by places in the tensors of a launch. On the CPU device each access is checked against the tensor that
// it is meant for and against what happened there before.
#pragma once

#include "device/types.cuh"

namespace rankone {

#ifndef RANKONE_HOST
// Where an element of a tensor stands; `const T` in tensors that are only read. Kernels add elements to it, and hand it
// to the words below and to those that copy: the host's form of it has nothing else, and no dereference compiles.
template <class T> using Global = T*;

// The first element of a tensor, from what the arguments hold.
template <class T, class Held> RK_DEVICE Global<T> global(Held* tensor) { return static_cast<T*>(tensor); }

// T has 1, 2, 4, 8 or 16 bytes, and the address is a multiple of that. Other threads of the block see what was stored
// after a barrier, those of other blocks in the next kernel.
template <class T> RK_DEVICE T global_load(const void* place) { return *static_cast<const T*>(place); }
template <class T> RK_DEVICE void global_store(void* place, T value) { *static_cast<T*>(place) = value; }
#endif

// Of a place's address.
RK_DEVICE unsigned low_bits(const void* place) {
  return static_cast<unsigned>(reinterpret_cast<unsigned long long>(place));
}

}  // namespace rankone
