// SPDX-License-Identifier: MIT
// Warp-wide words that carry data: shuffles, matrix loads, tensor-core products.
#pragma once

#include "runtime/cpu/block.hpp"

namespace rankone {

float collective_shuffle(Block&, HostThread&, float value, int source, int line);
void collective_load_matrix(Block&, HostThread&, unsigned* r, int offset, bool transposed, int line);
void collective_store_matrix(Block&, HostThread&, const unsigned* r, int offset, bool transposed, int line);
void collective_multiply(Block&, HostThread&, HostProduct, float* c, const unsigned* a, unsigned b0, unsigned b1,
                         int line);

}  // namespace rankone
