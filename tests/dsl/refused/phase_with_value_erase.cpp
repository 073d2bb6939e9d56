// SPDX-License-Identifier: MIT
// Must not compile: beside a phase nothing is erased: what a key holds there is complex, and a value is real
// Given: an erase
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_head(input("p"))).value_erase(input("b")))
