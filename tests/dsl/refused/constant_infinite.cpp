// SPDX-License-Identifier: MIT
// Must not compile: a constant is a finite number
// Given: inf
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("x") * math::infinity)))
