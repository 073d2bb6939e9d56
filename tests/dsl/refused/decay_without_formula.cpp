// SPDX-License-Identifier: MIT
// Must not compile: a constant, per-head or per-key decay has a formula for its logarithm
// Given: no formula
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head(Expression())))
