// SPDX-License-Identifier: MIT
// Must not compile: a chunk or a level is pinned where a variant has no form in chunks
// Given: 'decays of value columns'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_value(input("g"))).level(Level::chunk))
