// SPDX-License-Identifier: MIT
// Must not compile: a formula that runs over no keys reads no axis K: use a per-key decay, or one value a head
// Given: 'b'
#include "refused.hpp"

REFUSED(variant("wrong").write_scale(param("b", key_axis)))
