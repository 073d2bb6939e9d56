// SPDX-License-Identifier: MIT
// Must not compile: a lagged write is of the token before, in one walk
// Given: a bidirectional variant
#include "refused.hpp"

REFUSED(variant("wrong").write_lagged(input("l")).bidirectional())
