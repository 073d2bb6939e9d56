// SPDX-License-Identifier: MIT
// Must not compile: a phase is constant, per_head or per_key: it turns whole rows of the state
// Given: the kind none
#include "refused.hpp"

REFUSED(variant("wrong").phase({none().axes, param("p")}))
