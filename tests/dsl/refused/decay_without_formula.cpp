// SPDX-License-Identifier: MIT
// Must not compile: a decay of another kind than none has a formula for its logarithm
// Given: no formula
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(Expression())))
