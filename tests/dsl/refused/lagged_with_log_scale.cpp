// SPDX-License-Identifier: MIT
// Must not compile: a running maximum is that of each token's own write: beside it nothing is written again
// Given: both
#include "refused.hpp"

REFUSED(variant("wrong").write_lagged(input("l")).write_log_scale(input("i")).output(read() / unit()))
