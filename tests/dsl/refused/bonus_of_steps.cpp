// SPDX-License-Identifier: MIT
// Must not compile: a bonus is of a token's own key, and with several steps it has several
// Given: 2
#include "refused.hpp"

REFUSED(variant("wrong").bonus(param("u")).steps(2))
