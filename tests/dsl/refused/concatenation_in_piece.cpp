// SPDX-License-Identifier: MIT
// Must not compile: a concatenation stands at the root of a feature map, and in no other formula
// Given: 'feature map of q and k'
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(concatenate(element(), concatenate(1, element()))))
