// SPDX-License-Identifier: MIT
// Must not compile: a chunk is a multiple of 16 tokens, from 16 to 128
// Given: 20
#include "refused.hpp"

REFUSED(variant("wrong").chunk(20))
