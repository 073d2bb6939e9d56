// SPDX-License-Identifier: MIT
// Must not compile: a decay that runs over no value columns reads no axis V: use a per-value or full decay
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("x", Axes::value_head | Axes::value))))
