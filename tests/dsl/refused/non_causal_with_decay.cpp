// SPDX-License-Identifier: MIT
// Must not compile: a non-causal variant forgets nothing: each of its queries reads all keys
// Given: a decay
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("g"))).non_causal())
