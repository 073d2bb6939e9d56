// SPDX-License-Identifier: MIT
// Must not compile: a constant decay is the same for every token: no inputs and no position()
// Given: 'position'
#include "refused.hpp"

REFUSED(variant("wrong").decay(constant(-position())))
