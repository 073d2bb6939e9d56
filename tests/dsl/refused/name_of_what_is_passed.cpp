// SPDX-License-Identifier: MIT
// Must not compile: q, k, v, o, scale, cu_seqlens, states and their gradients are taken: choose another name
// Given: 'passed'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(input("passed"))))
