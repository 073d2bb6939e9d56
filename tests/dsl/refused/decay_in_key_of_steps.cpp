// SPDX-License-Identifier: MIT
// Must not compile: with several steps a token decays before the first alone: no key reads the decay
// Given: 'decay()'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("g"))).key(1 - decay()).steps(2))
