// SPDX-License-Identifier: MIT
// Must not compile: a concatenation stands at the root of a feature map, and in no other formula
// Given: 'written key'
#include "refused.hpp"

REFUSED(variant("wrong").key(concatenate(key(), 1)))
