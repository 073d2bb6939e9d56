// SPDX-License-Identifier: MIT
// Must not compile: a token input runs over K or over V, not over both: give it the axes of one side
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(full(log_sigmoid(input("x")))))
