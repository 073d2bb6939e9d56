// SPDX-License-Identifier: MIT
// Must not compile: a token has 1 to 8 steps
// Given: 0
#include "refused.hpp"

REFUSED(variant("wrong").steps(0))
