// SPDX-License-Identifier: MIT
// Must not compile: the passes of a chain go from token to token
// Given: 2
#include "refused.hpp"

REFUSED(variant("wrong").value(input("s")).steps(2).then(second_pass().key(input("s")).query(softmax(passed()))))
