// SPDX-License-Identifier: MIT
// Must not compile: a token input runs over HV or H, and beside that over K or V where its formula does
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("x", key_axis))))
