// SPDX-License-Identifier: MIT
// Must not compile: a feature map is at most 4 pieces side by side
// Given: 5
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(concatenate(1, 2, 3, 4, element())))
