// SPDX-License-Identifier: MIT
// Must not compile: a phase of another kind than none has a formula for its angle
// Given: no formula
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_head(Expression())))
