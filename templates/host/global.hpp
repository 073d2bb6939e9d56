// SPDX-License-Identifier: MIT
// Host forms of places in global memory and of the words that touch them.
#pragma once

#include "host/interface.hpp"
#include "host/keywords.hpp"

namespace rankone {

template <class T> struct HostUntyped { using Type = void; };
template <class T> struct HostUntyped<const T> { using Type = const void; };

// No pointer that could be followed: the address bears the number of its tensor, too.
template <class T> struct Global {
  T* address;

  __device__ __forceinline__ Global operator+(long long elements) const { return {address + elements}; }
  __device__ __forceinline__ Global& operator+=(long long elements) {
    address += elements;
    return *this;
  }
  __device__ __forceinline__ operator typename HostUntyped<T>::Type *() const { return address; }
};
template <class T, class Held> __device__ __forceinline__ Global<T> global(Held* tensor) {
  return {static_cast<T*>(tensor)};
}

template <class T> __device__ __forceinline__ T global_load(const void* place, int line = __builtin_LINE()) {
  T value;
  __builtin_memcpy(&value, host_interface->global_load(host_thread(), place, sizeof(T), line), sizeof(T));
  return value;
}
template <class T> __device__ __forceinline__ void global_store(void* place, T value, int line = __builtin_LINE()) {
  __builtin_memcpy(host_interface->global_store(host_thread(), place, sizeof(T), line), &value, sizeof(T));
}

}  // namespace rankone
