// SPDX-License-Identifier: MIT
// Must not compile: a normaliser sums weights of keys, and beside a phase they change their signs
// Given: 'normaliser()'
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_key(input("p"))).normalised(1e-6))
