// SPDX-License-Identifier: MIT
// Must not compile: an operand is an expression that is not empty
// Given: an empty one
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("x") + Expression())))
