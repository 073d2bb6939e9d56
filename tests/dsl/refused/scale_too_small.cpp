// SPDX-License-Identifier: MIT
// Must not compile: a scale fits float32
// Given: 1e-300
#include "refused.hpp"

REFUSED(variant("wrong").scale(1e-300))
