// SPDX-License-Identifier: MIT
// Must not compile: what says how something is erased needs a scale by which it is
// Given: no erase
#include "refused.hpp"

REFUSED(variant("wrong").erase_undecayed())
