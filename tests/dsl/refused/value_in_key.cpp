// SPDX-License-Identifier: MIT
// Must not compile: value() stands in expressions of values and outputs alone
// Given: 'value()'
#include "refused.hpp"

REFUSED(variant("wrong").key(value()))
