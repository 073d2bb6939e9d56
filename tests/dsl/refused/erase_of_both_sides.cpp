// SPDX-License-Identifier: MIT
// Must not compile: a token erases on one side of the state, by its key or by its value
// Given: both
#include "refused.hpp"

REFUSED(variant("wrong").erase(input("b")).value_erase(input("c")))
