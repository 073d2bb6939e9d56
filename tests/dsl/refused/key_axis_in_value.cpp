// SPDX-License-Identifier: MIT
// Must not compile: a formula of values and outputs runs over no keys: it reads no axis K
// Given: 'u'
#include "refused.hpp"

REFUSED(variant("wrong").value(value() * param("u", key_axis)))
