// SPDX-License-Identifier: MIT
// Must not compile: an input is a token's or a step's: keys, values and scales have one for each step
// Given: 'g'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("g"))).write_scale(exp(input("g"))).steps(2))
