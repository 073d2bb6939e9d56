// SPDX-License-Identifier: MIT
// Units of 16 bytes between a row of global memory and a tile: in pieces as large as the row's place allows.
#pragma once

#include "device/copy.cuh"
#include "device/global.cuh"
#include "device/types.cuh"

namespace rankone {

// The most bytes, up to 16, of which the places of all rows are multiples.
template <class T> RK_DEVICE int alignment_of(Global<T> first_row, long long stride) {
  const unsigned bits = low_bits(first_row) | static_cast<unsigned>(stride * static_cast<long long>(sizeof(T)));
  return (bits & 15u) == 0 ? 16 : (bits & 7u) == 0 ? 8 : (bits & 3u) == 0 ? 4 : 2;
}
// Whether pieces are so small that a thread moves them itself.
template <class T> RK_DEVICE bool moves_itself(int alignment) { return sizeof(T) == 2 && alignment == 2; }

template <int size, class T> RK_DEVICE void copy_pieces(int target, Global<const T> from, int bytes) {
#pragma unroll
  for (int i = 0; i < 16; i += size) {
    const int left = bytes - i;
    copy_async<size>(target + i, from + i / static_cast<int>(sizeof(T)),
                     left < 0      ? 0
                     : left < size ? left
                                   : size);  // of no bytes the source is not looked at
  }
}
// Starts the copy of 4 bytes, of which those beyond the first `bytes` become zero. Whoever moves_itself() has stored them when
// this returns.
template <class T> RK_DEVICE void copy_word(int target, Global<const T> from, int bytes, int alignment) {
  if (!moves_itself<T>(alignment))
    return copy_async<4>(target, from,
                         bytes < 0   ? 0
                         : bytes < 4 ? bytes
                                     : 4);  // of no bytes the source is not looked at
  const unsigned low = bytes > 0 ? global_load<unsigned short>(from) : 0u,
                 high = bytes > 2 ? global_load<unsigned short>(from + 1) : 0u;
  shared_store<unsigned>(target, low | high << 16);
}
// Starts the copy of the first `bytes` bytes from a place on, and makes the rest of the unit zero. Whoever moves_itself() has
// stored it when this returns, by few registers: producers have no more.
template <class T> RK_DEVICE void copy_unit(int target, Global<const T> from, int bytes, int alignment) {
  if (alignment == 8) return copy_pieces<8, T>(target, from, bytes);
  if (sizeof(T) == 4 || alignment == 4) return copy_pieces<4, T>(target, from, bytes);
#pragma unroll 1
  for (int i = 0; i < 16; i += 4) copy_word<T>(target + i, from + i / 2, bytes - i, alignment);
}

// The first `count` elements of a unit of a tile of 16-bit elements go to a place on. Where state waits in registers, few are left
// for this.
template <class T> RK_DEVICE void store_unit(Global<T> target, int unit, int count, int alignment) {
  int i = 0;
  if (alignment >= 8) {
#pragma unroll 1
    for (; i + 4 <= count; i += 4)
      global_store<unsigned long long>(target + i, shared_load<unsigned long long>(unit + 2 * i));
  }
#pragma unroll 1
  for (; i < count; i += 2) {
    const unsigned word = shared_load<unsigned>(unit + 2 * i);
    if (alignment >= 4 && i + 1 < count) {
      global_store<unsigned>(target + i, word);
    } else {
      global_store<unsigned short>(target + i, static_cast<unsigned short>(word));
      if (i + 1 < count) global_store<unsigned short>(target + (i + 1), static_cast<unsigned short>(word >> 16));
    }
  }
}

}  // namespace rankone
