// SPDX-License-Identifier: MIT
// Must not compile: decay() in an expression of keys and queries needs a per-key decay
// Given: 'decay()'
#include "refused.hpp"

REFUSED(variant("wrong").decay(outer(-exp(input("a")), -exp(input("b")))).key(1 - decay()))
