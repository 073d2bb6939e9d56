// SPDX-License-Identifier: MIT
// Must not compile: a non-causal variant walks its keys in no order that could be another one
// Given: permuted, too
#include "refused.hpp"

REFUSED(variant("wrong").permuted().non_causal())
