// SPDX-License-Identifier: MIT
// Must not compile: a sum or maximum over keys stands in pieces of single elements
// Given: a piece without element()
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(concatenate(key_sum(1), element())))
