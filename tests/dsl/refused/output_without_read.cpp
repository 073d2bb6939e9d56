// SPDX-License-Identifier: MIT
// Must not compile: an output expression uses what was read
// Given: a formula without read()
#include "refused.hpp"

REFUSED(variant("wrong").output(value()))
