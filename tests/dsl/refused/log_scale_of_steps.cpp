// SPDX-License-Identifier: MIT
// Must not compile: a running maximum moves once a token
// Given: 2
#include "refused.hpp"

REFUSED(variant("wrong").steps(2).write_log_scale(input("i")).output(read() / unit()))
