// SPDX-License-Identifier: MIT
// Must not compile: a scale is not 0; without one it is K^-0.5
// Given: 0
#include "refused.hpp"

REFUSED(variant("wrong").scale(0))
