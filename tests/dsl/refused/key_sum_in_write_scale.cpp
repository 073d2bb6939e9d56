// SPDX-License-Identifier: MIT
// Must not compile: a sum or maximum over keys stands in a formula that runs over keys alone
// Given: 'key_sum'
#include "refused.hpp"

REFUSED(variant("wrong").write_scale(key_sum(input("b"))))
