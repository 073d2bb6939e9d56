// SPDX-License-Identifier: MIT
// Must not compile: a non-causal variant walks its keys in no order that could be another one
// Given: bidirectional, too
#include "refused.hpp"

REFUSED(variant("wrong").bidirectional().non_causal())
