// SPDX-License-Identifier: MIT
// Must not compile: beside the state of a chain's pass nothing is carried but a scan of slots
// Given: a lagged write
#include "refused.hpp"

REFUSED(variant("wrong")
            .value(input("s"))
            .write_lagged(input("l"))
            .then(second_pass().key(input("s")).query(softmax(passed()))))
