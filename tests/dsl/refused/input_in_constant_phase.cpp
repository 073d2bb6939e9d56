// SPDX-License-Identifier: MIT
// Must not compile: a constant phase is the same for every token: no inputs and no position()
// Given: 'p'
#include "refused.hpp"

REFUSED(variant("wrong").phase(constant(input("p"))))
