// SPDX-License-Identifier: MIT
// Warp-wide words: the last lane to arrive gathers the operands of all 32 and hands out the results.
#include "runtime/cpu/collective.hpp"

#include <bit>
#include <cstring>

#include "templates/host/keywords.hpp"
#include "templates/host/numbers.hpp"

namespace rankone {
namespace {

template <class T> T& operands_of(const Fiber& lane) { return *static_cast<T*>(const_cast<void*>(lane.operands)); }

struct ShuffleOperands {
  float value, result;
  int source;
};

struct MatrixLoadOperands {
  unsigned* r;
  int offset;
};

struct MatrixStoreOperands {
  const unsigned* r;
  int offset;
};

struct ProductOperands {
  float* c;
  const unsigned* a;
  unsigned b[2];
};

void load_matrix(Block& block, Fiber* lanes, bool transposed, int line) {
  const Word word = transposed ? Word::load_matrix_transposed : Word::load_matrix;
  int rows[host_warp_size];
  for (int i = 0; i < host_warp_size; ++i) {
    rows[i] = operands_of<MatrixLoadOperands>(lanes[i]).offset;
    block.check_place(word, lanes[i].index, rows[i], 16, line);
  }
  // Each lane counts as the reader of what it receives.
  for (int i = 0; i < host_warp_size; ++i) {
    const int group = i / 4, pair = i % 4;
    for (int tile = 0; tile < 4; ++tile) {
      unsigned& result = operands_of<MatrixLoadOperands>(lanes[i]).r[tile];
      if (transposed) {
        std::uint16_t half[2];
        for (int j = 0; j < 2; ++j)
          std::memcpy(&half[j],
                      block.checked_load(word, lanes[i].index, rows[8 * tile + 2 * pair + j] + 2 * group, 2, line), 2);
        result = half[0] | static_cast<unsigned>(half[1]) << 16;
      } else {
        std::memcpy(&result, block.checked_load(word, lanes[i].index, rows[8 * tile + group] + 4 * pair, 4, line), 4);
      }
    }
  }
}

// Each lane counts as the writer of what it gives.
void store_matrix(Block& block, Fiber* lanes, bool transposed, int line) {
  const Word word = transposed ? Word::store_matrix_transposed : Word::store_matrix;
  int rows[host_warp_size];
  for (int i = 0; i < host_warp_size; ++i) {
    rows[i] = operands_of<MatrixStoreOperands>(lanes[i]).offset;
    block.check_place(word, lanes[i].index, rows[i], 16, line);
  }
  for (int i = 0; i < host_warp_size; ++i) {
    const int group = i / 4, pair = i % 4;
    for (int tile = 0; tile < 4; ++tile) {
      const unsigned both = operands_of<MatrixStoreOperands>(lanes[i]).r[tile];
      if (!transposed) {
        std::memcpy(block.checked_store(word, lanes[i].index, rows[8 * tile + group] + 4 * pair, 4, line), &both, 4);
        continue;
      }
      for (int j = 0; j < 2; ++j) {
        const auto half = static_cast<std::uint16_t>(both >> 16 * j);
        std::memcpy(block.checked_store(word, lanes[i].index, rows[8 * tile + 2 * pair + j] + 2 * group, 2, line),
                    &half, 2);
      }
    }
  }
}

typedef float Row __attribute__((vector_size(32)));  // a row of the product

float bf16_value(unsigned bits) { return as_float(bits << 16); }

// Operand words hold elements 2 pair and 2 pair + 1 of a group of eight.
void unpack(unsigned word, float& first, float& second) {
  first = bf16_value(word & 0xffffu);
  second = bf16_value(word >> 16);
}

template <int k> void multiply(Fiber* lanes, const float (&a)[16][k], const Row (&b)[k]) {
  for (int half = 0; half < 2; ++half)
    for (int group = 0; group < 8; ++group) {
      const int row = group + 8 * half;
      Row sum;
      for (int pair = 0; pair < 4; ++pair) {
        const float* c = operands_of<ProductOperands>(lanes[4 * group + pair]).c;
        sum[2 * pair] = c[2 * half];
        sum[2 * pair + 1] = c[2 * half + 1];
      }
      for (int i = 0; i < k; ++i) sum += a[row][i] * b[i];
      for (int pair = 0; pair < 4; ++pair) {
        float* c = operands_of<ProductOperands>(lanes[4 * group + pair]).c;
        c[2 * half] = sum[2 * pair];
        c[2 * half + 1] = sum[2 * pair + 1];
      }
    }
}

void multiply_bf16(Fiber* lanes) {
  float a[16][16];
  Row b[16];
  for (int i = 0; i < host_warp_size; ++i) {
    const int group = i / 4, pair = i % 4;
    const auto& from = operands_of<ProductOperands>(lanes[i]);
    for (int part = 0; part < 4; ++part) {
      float* const to = &a[group + part % 2 * 8][2 * pair + part / 2 * 8];
      unpack(from.a[part], to[0], to[1]);
    }
    for (int part = 0; part < 2; ++part) {
      float first, second;
      unpack(from.b[part], first, second);
      b[2 * pair + 8 * part][group] = first;
      b[2 * pair + 8 * part + 1][group] = second;
    }
  }
  multiply(lanes, a, b);
}

void multiply_tf32(Fiber* lanes) {
  const auto value = [](unsigned bits) { return as_float(bits & ~0x1fffu); };  // the tensor cores ignore the low bits
  float a[16][8];
  Row b[8];
  for (int i = 0; i < host_warp_size; ++i) {
    const int group = i / 4, pair = i % 4;
    const auto& from = operands_of<ProductOperands>(lanes[i]);
    for (int part = 0; part < 4; ++part) a[group + part % 2 * 8][pair + part / 2 * 4] = value(from.a[part]);
    for (int part = 0; part < 2; ++part) b[pair + 4 * part][group] = value(from.b[part]);
  }
  multiply(lanes, a, b);
}

}  // namespace

float collective_shuffle(Block& block, HostThread& thread, float value, int source, int line) {
  ShuffleOperands mine{value, 0, source};
  block.collective(thread, Word::shuffle, line, &mine, [](Block&, Fiber* lanes) {
    for (int i = 0; i < host_warp_size; ++i) {
      auto& lane = operands_of<ShuffleOperands>(lanes[i]);
      lane.result = operands_of<ShuffleOperands>(lanes[lane.source]).value;
    }
  });
  return mine.result;
}

void collective_load_matrix(Block& block, HostThread& thread, unsigned* r, int offset, bool transposed, int line) {
  const MatrixLoadOperands mine{r, offset};
  const Word word = transposed ? Word::load_matrix_transposed : Word::load_matrix;
  block.collective(thread, word, line, &mine, [=](Block& b, Fiber* lanes) { load_matrix(b, lanes, transposed, line); });
}

void collective_store_matrix(Block& block, HostThread& thread, const unsigned* r, int offset, bool transposed,
                             int line) {
  const MatrixStoreOperands mine{r, offset};
  block.collective(thread, transposed ? Word::store_matrix_transposed : Word::store_matrix, line, &mine,
                   [=](Block& b, Fiber* lanes) { store_matrix(b, lanes, transposed, line); });
}

void collective_multiply(Block& block, HostThread& thread, HostProduct product, float* c, const unsigned* a,
                         unsigned b0, unsigned b1, int line) {
  const ProductOperands mine{c, a, {b0, b1}};
  switch (product) {
    case HostProduct::bf16:
      return block.collective(thread, Word::multiply_bf16, line, &mine,
                              [](Block&, Fiber* lanes) { multiply_bf16(lanes); });
    case HostProduct::tf32:
      return block.collective(thread, Word::multiply_tf32, line, &mine,
                              [](Block&, Fiber* lanes) { multiply_tf32(lanes); });
    case HostProduct::f16: break;  // of a warpgroup alone
  }
}

}  // namespace rankone
