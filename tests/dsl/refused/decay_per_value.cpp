// SPDX-License-Identifier: MIT
// Must not compile: decays along the value dimension have no kernel yet
// Given: 'per_value'
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_value(log_sigmoid(input("x")))))
