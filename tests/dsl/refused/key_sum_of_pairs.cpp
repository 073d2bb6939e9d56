// SPDX-License-Identifier: MIT
// Must not compile: a sum or maximum over keys stands in pieces of single elements
// Given: a piece of pairs
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(element() * other() / key_sum(element())))
