// SPDX-License-Identifier: MIT
// Must not compile: a formula of values and outputs runs over no keys: it reads no axis K
// Given: 'c'
#include "refused.hpp"

REFUSED(variant("wrong").value_erase(1).value_erase_read(input("c", value_head_axis | key_axis)))
