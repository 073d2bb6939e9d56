// SPDX-License-Identifier: MIT
// Must not compile: a chain's first pass writes slots, which have no v: its value is a formula of its own
// Given: v
#include "refused.hpp"

REFUSED(variant("wrong").then(second_pass().key(input("s")).query(softmax(passed()))))
