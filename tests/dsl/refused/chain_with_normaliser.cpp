// SPDX-License-Identifier: MIT
// Must not compile: beside the state of a chain's pass nothing is carried but a scan of slots
// Given: a normaliser
#include "refused.hpp"

REFUSED(
    variant("wrong").value(input("s")).then(second_pass().key(input("s")).query(softmax(passed())).normalised(1e-6)))
