// SPDX-License-Identifier: MIT
// Must not compile: a chain's scan is of the slots between its passes, and both of them read it
// Given: a second pass that does not read it
#include "refused.hpp"

REFUSED(variant("wrong")
            .cumulative_sum(input("s"))
            .value(exp(scanned()))
            .then(second_pass().key(input("s", {Axes::value_head, Axes::slot})).query(softmax(passed()))))
