// SPDX-License-Identifier: MIT
// Must not compile: a scan moves once a token
// Given: 2
#include "refused.hpp"

REFUSED(variant("wrong").cumulative_sum(input("x")).key(key() * scanned()).steps(2))
