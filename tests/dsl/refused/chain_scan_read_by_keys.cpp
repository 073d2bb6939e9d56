// SPDX-License-Identifier: MIT
// Must not compile: a chain's scan is of slots: in the first pass it is read by per-value decays and expressions of values
// Given: 'scanned'
#include "refused.hpp"

REFUSED(variant("wrong")
            .value(input("s"))
            .cumulative_sum(input("s"))
            .key(key() * scanned())
            .then(second_pass().key(input("s")).query(softmax(passed()))))
