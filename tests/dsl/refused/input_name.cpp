// SPDX-License-Identifier: MIT
// Must not compile: a name starts with a letter; letters, digits and underscores follow
// Given: 'x-y'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("x-y"))))
