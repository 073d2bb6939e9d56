// SPDX-License-Identifier: MIT
// Must not compile: a chunk or a level is pinned where a variant has no form in chunks
// Given: 'a second pass'
#include "refused.hpp"

REFUSED(variant("wrong").value(input("s")).chunk(64).then(second_pass().key(input("s")).query(softmax(passed()))))
