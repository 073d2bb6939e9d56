// SPDX-License-Identifier: MIT
// Must not compile: an input or parameter runs over H or over HV, not over both
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("x", head_axis | value_head_axis))))
