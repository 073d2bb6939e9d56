// SPDX-License-Identifier: MIT
// Must not compile: a non-causal variant walks its keys in no order that could be another one
// Given: reversed, too
#include "refused.hpp"

REFUSED(variant("wrong").reversed().non_causal())
