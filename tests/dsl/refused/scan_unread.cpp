// SPDX-License-Identifier: MIT
// Must not compile: a scan is read by a formula
// Given: none that reads it
#include "refused.hpp"

REFUSED(variant("wrong").cumulative_sum(input("x")))
