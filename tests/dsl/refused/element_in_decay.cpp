// SPDX-License-Identifier: MIT
// Must not compile: element() stands in feature maps alone
// Given: nothing
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(-square(element()))))
