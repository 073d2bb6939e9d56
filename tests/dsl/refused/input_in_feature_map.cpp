// SPDX-License-Identifier: MIT
// Must not compile: a feature map reads no tensor, and nothing that is made of one but its elements
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(element() * input("x")))
