// SPDX-License-Identifier: MIT
// Must not compile: normaliser() stands in output expressions alone
// Given: 'normaliser()'
#include "refused.hpp"

REFUSED(variant("wrong").query(query() / normaliser()))
