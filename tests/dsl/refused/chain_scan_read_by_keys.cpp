// SPDX-License-Identifier: MIT
// Must not compile: scanned() and scanned_before() stand in per-key decays and expressions of keys and queries
// Given: 'scanned'
#include "refused.hpp"

REFUSED(variant("wrong")
            .value(input("s"))
            .cumulative_sum(input("s"))
            .key(key() * scanned())
            .then(second_pass().key(input("s")).query(softmax(passed()))))
