// SPDX-License-Identifier: MIT
// Must not compile: a scale fits float32: a magnitude from 1.5e-45 to 3.4e38
// Given: 1e+300
#include "refused.hpp"

REFUSED(variant("wrong").scale(1e300))
