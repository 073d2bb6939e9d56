// SPDX-License-Identifier: MIT
// Must not compile: steps follow each other in one walk: a non-causal or bidirectional variant has none
// Given: 2
#include "refused.hpp"

REFUSED(variant("wrong").non_causal().steps(2))
