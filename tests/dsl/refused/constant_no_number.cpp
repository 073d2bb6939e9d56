// SPDX-License-Identifier: MIT
// Must not compile: a log-decay is a number
// Given: not a number
#include "refused.hpp"

REFUSED(variant("wrong").decay(constant(log(Expression(-1)))))
