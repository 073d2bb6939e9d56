// SPDX-License-Identifier: MIT
// Must not compile: a constant fits float32
// Given: 1e+39
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("x") * 1e39)))
