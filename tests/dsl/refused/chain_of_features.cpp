// SPDX-License-Identifier: MIT
// Must not compile: of a chain the first pass alone maps features, element by element
// Given: another feature map
#include "refused.hpp"

REFUSED(
    variant("wrong").value(input("s")).feature_map(taylor).then(second_pass().key(input("s")).query(softmax(passed()))))
