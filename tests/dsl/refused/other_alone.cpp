// SPDX-License-Identifier: MIT
// Must not compile: a piece of pairs reads both of them: element() beside other()
// Given: other() alone
#include "refused.hpp"

REFUSED(variant("wrong").feature_map(concatenate(element(), other())))
