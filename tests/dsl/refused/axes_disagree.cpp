// SPDX-License-Identifier: MIT
// Must not compile: an input or parameter has the same axes wherever it stands: give them with its name
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("x"))).write_scale(input("x")))
