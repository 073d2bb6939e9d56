// SPDX-License-Identifier: MIT
// Must not compile: both directions are walked already: there is none that could be reversed
// Given: both
#include "refused.hpp"

REFUSED(variant("wrong").bidirectional().reversed())
