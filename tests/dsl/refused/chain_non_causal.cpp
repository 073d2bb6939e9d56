// SPDX-License-Identifier: MIT
// Must not compile: the passes of a chain walk the same way, from token to token
// Given: a non-causal variant
#include "refused.hpp"

REFUSED(variant("wrong").value(input("s")).non_causal().then(second_pass().key(input("s")).query(softmax(passed()))))
