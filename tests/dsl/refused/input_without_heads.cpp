// SPDX-License-Identifier: MIT
// Must not compile: a token input runs over HV or H, and in per-key formulas also over K
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("x", key_axis))))
