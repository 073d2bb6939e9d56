// SPDX-License-Identifier: MIT
// A matrix in shared memory: rows of T, each followed by 16 bytes so that column walks meet no bank conflict.
#pragma once

#include "device/shared.cuh"

namespace rankone {

template <class T, int columns> struct Tile {
  using Type = T;
  static constexpr int row_bytes = columns * static_cast<int>(sizeof(T)) + 16;
  int offset;  // bytes

  RK_DEVICE int at(int row, int column) const {
    return offset + row * row_bytes + column * static_cast<int>(sizeof(T));
  }
  RK_DEVICE float load(int row, int column) const { return to_float(shared_load<T>(at(row, column))); }
  RK_DEVICE void store(int row, int column, float value) const {
    shared_store<T>(at(row, column), Element<T>::from(value));
  }
};

// `count` consecutive elements as float, four or eight, the first at a column that is a multiple of `count`.
template <class T, int columns, int count>
RK_DEVICE void load_row(const Tile<T, columns>& tile, int row, int column, float (&out)[count]) {
  constexpr int in_word = 4 / static_cast<int>(sizeof(T)), words = count / in_word;
  struct alignas(words < 4 ? 8 : 16) Vector {
    unsigned word[words < 4 ? 2 : 4];
  };
#pragma unroll
  for (int first = 0; first < words; first += 4) {
    const Vector vector = shared_load<Vector>(tile.at(row, column + first * in_word));
#pragma unroll
    for (int i = 0; i < (words < 4 ? 2 : 4); ++i) {
      if constexpr (in_word == 2)
        Element<T>::unpack(vector.word[i], out[2 * i], out[2 * i + 1]);
      else
        out[first + i] = as_float(vector.word[i]);
    }
  }
}

// Two consecutive elements, the first at an even column.
template <class T, int columns>
RK_DEVICE void load_pair(const Tile<T, columns>& tile, int row, int column, float& first, float& second) {
  if constexpr (sizeof(T) == 2) {
    Element<T>::unpack(shared_load<unsigned>(tile.at(row, column)), first, second);
  } else {
    struct alignas(8) Pair {
      float first, second;
    };
    const Pair pair = shared_load<Pair>(tile.at(row, column));
    first = pair.first;
    second = pair.second;
  }
}
template <class T, int columns>
RK_DEVICE void store_pair(const Tile<T, columns>& tile, int row, int column, float first, float second) {
  if constexpr (sizeof(T) == 2) {
    shared_store<unsigned>(tile.at(row, column), Element<T>::pack(first, second));
  } else {
    struct alignas(8) Pair {
      float first, second;
    };
    shared_store<Pair>(tile.at(row, column), Pair{first, second});
  }
}

}  // namespace rankone
