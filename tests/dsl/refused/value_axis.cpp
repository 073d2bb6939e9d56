// SPDX-License-Identifier: MIT
// Must not compile: no input or parameter runs over V: decays and keys act on the key side
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("x", Axes::value_head | Axes::value))))
