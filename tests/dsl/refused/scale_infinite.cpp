// SPDX-License-Identifier: MIT
// Must not compile: a scale is a finite number
// Given: inf
#include "refused.hpp"

REFUSED(variant("wrong").scale(math::infinity))
