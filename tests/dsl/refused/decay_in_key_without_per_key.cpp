// SPDX-License-Identifier: MIT
// Must not compile: decay() in an expression of keys and queries needs a per-key decay
// Given: 'decay()'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("g"))).key(1 - decay()))
