// SPDX-License-Identifier: MIT
// Must not compile: the query of a chain's second pass is made of what the first one reads
// Given: a query without it
#include "refused.hpp"

REFUSED(variant("wrong").value(input("s")).then(second_pass().key(input("s")).query(input("x"))))
