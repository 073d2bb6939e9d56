// SPDX-License-Identifier: MIT
// Must not compile: a formula that runs over no keys reads no axis K: use a per-key decay, or one value a head
// Given: 'g'
#include "refused.hpp"

REFUSED(variant("wrong").output(read() * input("g", value_head_axis | key_axis)))
