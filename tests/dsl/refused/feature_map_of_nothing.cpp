// SPDX-License-Identifier: MIT
// Must not compile: a feature map reads element()
// Given: wrong
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(Expression(1)))
