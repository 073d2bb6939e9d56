// SPDX-License-Identifier: MIT
// Must not compile: read() stands in output expressions alone
// Given: 'read()'
#include "refused.hpp"

REFUSED(variant("wrong").value(read()))
