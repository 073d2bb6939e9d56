// SPDX-License-Identifier: MIT
// Must not compile: with several steps what is erased is read of the decayed state
// Given: undecayed
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("g"))).erase(input("beta")).erase_undecayed().steps(2))
