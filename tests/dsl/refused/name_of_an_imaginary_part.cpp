// SPDX-License-Identifier: MIT
// Must not compile: q, k, v, o, scale, cu_seqlens, states and their gradients are taken: choose another name
// Given: 'state_imaginary'
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_key(input("state_imaginary"))))
