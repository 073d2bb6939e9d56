// SPDX-License-Identifier: MIT
// Must not compile: a scale is one number for each token and head: it reads neither axis K nor axis V
// Given: 'b'
#include "refused.hpp"

REFUSED(variant("wrong").erase(input("b", value_head_axis | value_axis)))
