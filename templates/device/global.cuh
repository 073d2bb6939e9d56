// SPDX-License-Identifier: MIT
// Global memory, by places in the tensors of a launch. No raw pointer leaves this file: on the CPU device each access is
// checked against the tensor that it is meant for and against what happened there before.
#pragma once

#include "device/types.cuh"

namespace rankone {

template <class T> struct Untyped {
  using Type = void;
};
template <class T> struct Untyped<const T> {
  using Type = const void;
};

// Where an element of a tensor stands; `const T` in tensors that are only read. It moves by elements, and becomes an
// untyped address for the words below and for those that copy.
template <class T> struct Global {
  T* address;

  RK_DEVICE Global operator+(long long elements) const { return {address + elements}; }
  RK_DEVICE Global& operator+=(long long elements) {
    address += elements;
    return *this;
  }
  RK_DEVICE operator typename Untyped<T>::Type*() const { return address; }
};

// The first element of a tensor, from what the arguments hold.
template <class T, class Held> RK_DEVICE Global<T> global(Held* tensor) { return {static_cast<T*>(tensor)}; }

#ifndef RANKONE_HOST
// T has 1, 2, 4, 8 or 16 bytes, and the address is a multiple of that. Other threads of the block see what was stored
// after a barrier, those of other blocks in the next kernel.
template <class T> RK_DEVICE T global_load(const void* place) { return *static_cast<const T*>(place); }
template <class T> RK_DEVICE void global_store(void* place, T value) { *static_cast<T*>(place) = value; }
#endif

}  // namespace rankone
