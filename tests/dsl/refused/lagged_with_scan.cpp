// SPDX-License-Identifier: MIT
// Must not compile: beside a scan nothing is written again: going back, keys of earlier tokens would lack theirs
// Given: both
#include "refused.hpp"

REFUSED(variant("wrong").write_lagged(input("l")).cumulative_sum(input("x")).key(key() * scanned()))
