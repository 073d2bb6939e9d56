// SPDX-License-Identifier: MIT
// Must not compile: a running maximum goes one way, from token to token
// Given: a bidirectional variant
#include "refused.hpp"

REFUSED(variant("wrong").bidirectional().write_log_scale(input("i")).output(read() / unit()))
