// SPDX-License-Identifier: MIT
// Must not compile: a log-decay is at most 0: the state would grow without bound
// Given: 0.25
#include "refused.hpp"

REFUSED(variant("wrong").decay(constant(0.25)))
