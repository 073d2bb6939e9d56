// SPDX-License-Identifier: MIT
// Must not compile: a variant reads at most 6 token inputs
// Given: 7
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("a") + input("b") + input("c") + input("d") + input("e") + input("f") +
                                        input("g"))))
