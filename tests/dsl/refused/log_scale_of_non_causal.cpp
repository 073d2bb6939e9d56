// SPDX-License-Identifier: MIT
// Must not compile: a running maximum goes one way, from token to token
// Given: a non-causal variant
#include "refused.hpp"

REFUSED(variant("wrong").non_causal().write_log_scale(input("i")).output(read() / unit()))
