// SPDX-License-Identifier: MIT
// Must not compile: a chunk or a level is pinned where a variant has no form in chunks
// Given: 'what is erased of the state'
#include "refused.hpp"

REFUSED(variant("wrong").erase(input("beta")).chunk(32))
