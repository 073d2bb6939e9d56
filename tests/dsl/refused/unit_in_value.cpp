// SPDX-License-Identifier: MIT
// Must not compile: unit() stands in output expressions alone
// Given: 'unit()'
#include "refused.hpp"

REFUSED(variant("wrong").value(value() / unit()))
