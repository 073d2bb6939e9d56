// SPDX-License-Identifier: MIT
// Must not compile: a parameter runs over at least one of HV, H, K and V
// Given: 'b'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(-exp(param("b", Axes::none)))))
