// SPDX-License-Identifier: MIT
// Must not compile: a phase that runs over no keys reads no axis K: use a per-key phase, or one value a head
// Given: 'p'
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_head(input("p", value_head_axis | key_axis))))
