// SPDX-License-Identifier: MIT
// Must not compile: a scan goes one way, from token to token
// Given: a non-causal variant
#include "refused.hpp"

REFUSED(variant("wrong").cumulative_sum(input("x")).key(key() * scanned()).non_causal())
