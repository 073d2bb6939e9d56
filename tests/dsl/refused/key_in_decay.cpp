// SPDX-License-Identifier: MIT
// Must not compile: key() stands in expressions of keys and queries alone
// Given: 'key()'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(-square(key()))))
