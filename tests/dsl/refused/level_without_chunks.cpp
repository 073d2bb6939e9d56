// SPDX-License-Identifier: MIT
// Must not compile: a chunk or a level is pinned where a variant has no form in chunks
// Given: 'decays of single elements'
#include "refused.hpp"

REFUSED(variant("wrong").decay(full(input("g", value_head_axis | value_axis) * param("A"))).level(Level::chunk))
