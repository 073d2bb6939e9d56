// SPDX-License-Identifier: MIT
// Must not compile: decays along the value dimension have no kernel yet
// Given: 'outer'
#include "refused.hpp"

REFUSED(variant("wrong").decay(outer(log_sigmoid(input("x")))))
