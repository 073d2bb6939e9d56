// SPDX-License-Identifier: MIT
// Must not compile: a feature map is a formula of element() and numbers alone
// Given: 'position'
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(element() * position()))
