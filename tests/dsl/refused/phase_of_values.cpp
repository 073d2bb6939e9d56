// SPDX-License-Identifier: MIT
// Must not compile: a phase is constant, per_head or per_key: it turns whole rows of the state
// Given: another set of axes
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_value(input("p"))))
