// SPDX-License-Identifier: MIT
// Must not compile: a normaliser's sum of keys has one direction: no second one is carried beside it
// Given: normaliser()
#include "refused.hpp"

REFUSED(variant("wrong").normalised(1e-6).bidirectional())
