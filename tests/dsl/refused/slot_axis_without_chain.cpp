// SPDX-License-Identifier: MIT
// Must not compile: slots stand between the passes of a chain: a formula that runs over none reads no axis M
// Given: 'g'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("g", {Axes::value_head, Axes::slot}))))
