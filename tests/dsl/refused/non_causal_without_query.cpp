// SPDX-License-Identifier: MIT
// Must not compile: of a non-causal variant q says how many queries there are
// Given: a formula without it
#include "refused.hpp"

REFUSED(variant("wrong").query(input("x")).non_causal())
