// SPDX-License-Identifier: MIT
// Must not compile: a chain's second pass has formulas, exclusive() and erase_undecayed(): all else is the first one's
// Given: more
#include "refused.hpp"

REFUSED(variant("wrong").value(input("s")).then(second_pass().key(input("s")).query(softmax(passed())).reversed()))
