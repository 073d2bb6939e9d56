// SPDX-License-Identifier: MIT
// Must not compile: a formula of values and outputs runs over no keys: it reads no axis K
// Given: 'g'
#include "refused.hpp"

REFUSED(variant("wrong").output(read() * input("g", value_head_axis | key_axis)))
