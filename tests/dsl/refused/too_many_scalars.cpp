// SPDX-License-Identifier: MIT
// Must not compile: a variant reads at most 8 scalars
// Given: 9
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(scalar("a") + scalar("b") + scalar("c") + scalar("d") + scalar("e") +
                                        scalar("f") + scalar("g") + scalar("h") + scalar("i"))))
