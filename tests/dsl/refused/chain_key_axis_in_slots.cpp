// SPDX-License-Identifier: MIT
// Must not compile: slots are the columns that a chain's first pass writes and the keys of its second: their axis is M
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong")
            .value(input("s"))
            .then(second_pass().key(input("x", {Axes::value_head, Axes::key})).query(passed())))
