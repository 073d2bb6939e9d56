// SPDX-License-Identifier: MIT
// Must not compile: dNAME is the gradient of NAME: rename one of the two
// Given: 'dx'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("x") + input("dx"))))
