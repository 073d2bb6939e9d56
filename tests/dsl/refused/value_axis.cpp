// SPDX-License-Identifier: MIT
// Must not compile: no input or parameter runs over V: decays and keys act on the key side
// Given: 'x'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(input("x", value_head_axis | Axes{Axes::value}))))
