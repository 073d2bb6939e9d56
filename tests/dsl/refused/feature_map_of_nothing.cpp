// SPDX-License-Identifier: MIT
// Must not compile: a feature map reads element()
// Given: a formula without it
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(Expression(1)))
