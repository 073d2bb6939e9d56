// SPDX-License-Identifier: MIT
// Must not compile: a lagged write is of the token before, in one walk
// Given: a non-causal variant
#include "refused.hpp"

REFUSED(variant("wrong").write_lagged(input("l")).non_causal())
