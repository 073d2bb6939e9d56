// SPDX-License-Identifier: MIT
// Must not compile: with several steps a token has several keys and values: a query or an output reads none
// Given: 'value'
#include "refused.hpp"

REFUSED(variant("wrong").output(read() + value()).steps(2))
