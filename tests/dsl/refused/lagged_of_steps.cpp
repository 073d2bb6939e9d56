// SPDX-License-Identifier: MIT
// Must not compile: beside a lagged write a token has one key and one value
// Given: 2
#include "refused.hpp"

REFUSED(variant("wrong").write_lagged(input("l")).steps(2))
