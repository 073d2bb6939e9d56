// SPDX-License-Identifier: MIT
// Must not compile: a per-head formula reads no axis K: use a per-key decay, or one value a head
// Given: 'b'
#include "refused.hpp"

REFUSED(variant("wrong").write_scale(param("b", key_axis)))
