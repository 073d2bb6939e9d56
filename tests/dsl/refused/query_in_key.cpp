// SPDX-License-Identifier: MIT
// Must not compile: query() stands in query expressions alone
// Given: 'query()'
#include "refused.hpp"

REFUSED(variant("wrong").key(query()))
