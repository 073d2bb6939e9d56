// SPDX-License-Identifier: MIT
// Must not compile: a non-causal query reads all keys, and has no token of its own before or beside them
// Given: an exclusive read
#include "refused.hpp"

REFUSED(variant("wrong").exclusive().non_causal())
