// SPDX-License-Identifier: MIT
// Must not compile: beside a write_log_scale keys and value columns decay alike: they have one running maximum
// Given: a decay of single ones
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_value(input("g"))).write_log_scale(input("i")).output(read() / unit()))
