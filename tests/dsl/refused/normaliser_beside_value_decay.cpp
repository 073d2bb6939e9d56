// SPDX-License-Identifier: MIT
// Must not compile: a normaliser has no value columns that could decay, each in its own way
// Given: 'normaliser()'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_value(-exp(input("g")))).normalised(1e-6))
