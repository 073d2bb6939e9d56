// SPDX-License-Identifier: MIT
// Must not compile: a chunk or a level is pinned where a variant has no form in chunks
// Given: 'a complex decay'
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_key(input("p"))).chunk(64))
