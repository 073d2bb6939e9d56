// SPDX-License-Identifier: MIT
// Must not compile: a non-causal variant turns nothing: its keys are in no order
// Given: a phase
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_key(input("p"))).non_causal())
