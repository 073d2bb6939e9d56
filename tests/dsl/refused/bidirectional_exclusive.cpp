// SPDX-License-Identifier: MIT
// Must not compile: in both directions together a token is read once, and an exclusive read would leave it out
// Given: an exclusive read
#include "refused.hpp"

REFUSED(variant("wrong").exclusive().bidirectional())
