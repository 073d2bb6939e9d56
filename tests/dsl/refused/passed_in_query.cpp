// SPDX-License-Identifier: MIT
// Must not compile: passed() stands in the query of a chain's second pass alone
// Given: 'passed()'
#include "refused.hpp"

REFUSED(variant("wrong").query(passed()))
