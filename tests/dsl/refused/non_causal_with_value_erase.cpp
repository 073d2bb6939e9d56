// SPDX-License-Identifier: MIT
// Must not compile: a non-causal variant erases nothing: its keys are in no order
// Given: an erase
#include "refused.hpp"

REFUSED(variant("wrong").value_erase(0.5).non_causal())
