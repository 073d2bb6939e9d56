// SPDX-License-Identifier: MIT
// Must not compile: a chain has two passes
// Given: a third one
#include "refused.hpp"

REFUSED(variant("wrong")
            .value(input("s"))
            .then(second_pass().key(input("s")).query(softmax(passed())))
            .then(second_pass().key(input("s")).query(softmax(passed()))))
