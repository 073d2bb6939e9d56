// SPDX-License-Identifier: MIT
// Must not compile: a variant reads at most 8 parameters
// Given: 9
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(param("a") + param("b") + param("c") + param("d") + param("e") + param("f") +
                                        param("g") + param("h") + param("i"))))
