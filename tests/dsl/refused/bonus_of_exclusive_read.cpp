// SPDX-License-Identifier: MIT
// Must not compile: a bonus is read exclusively already: it takes the place of a token's own write
// Given: both
#include "refused.hpp"

REFUSED(variant("wrong").exclusive().bonus(param("u")))
