// SPDX-License-Identifier: MIT
// Must not compile: element() stands in feature maps alone
// Given: 'element()'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(-square(element()))))
