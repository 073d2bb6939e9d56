// SPDX-License-Identifier: MIT
// Must not compile: decay() stands in expressions of keys and queries alone
// Given: 'decay()'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(log(decay()))))
