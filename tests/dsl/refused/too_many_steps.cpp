// SPDX-License-Identifier: MIT
// Must not compile: a token has 1 to 8 steps
// Given: 9
#include "refused.hpp"

REFUSED(variant("wrong").steps(9))
