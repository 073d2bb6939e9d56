// SPDX-License-Identifier: MIT
// Must not compile: a name stands for one thing: an input, a parameter or a scalar
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("x") * param("x"))))
