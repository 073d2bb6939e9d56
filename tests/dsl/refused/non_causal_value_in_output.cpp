// SPDX-License-Identifier: MIT
// Must not compile: a non-causal output has no value of its own
// Given: 'value()'
#include "refused.hpp"

REFUSED(variant("wrong").output(read() * value()).non_causal())
