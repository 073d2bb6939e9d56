// SPDX-License-Identifier: MIT
// Must not compile: a complex state has one direction: no second one's imaginary part is carried beside it
// Given: a phase
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_key(input("p"))).bidirectional())
