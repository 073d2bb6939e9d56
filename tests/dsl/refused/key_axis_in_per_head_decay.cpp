// SPDX-License-Identifier: MIT
// Must not compile: a decay that runs over no keys reads no axis K: use a per-key decay, or one value a head
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(log_sigmoid(input("x", value_head_axis | key_axis)))))
