// SPDX-License-Identifier: MIT
// Must not compile: a sum or maximum over keys stands in a formula that runs over keys alone
// Given: 'key_max'
#include "refused.hpp"

REFUSED(variant("wrong").decay(full(-exp(key_max(input("a", {Axes::value_head, Axes::key}))))))
