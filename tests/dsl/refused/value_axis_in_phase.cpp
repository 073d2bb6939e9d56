// SPDX-License-Identifier: MIT
// Must not compile: a phase turns whole rows of the state: it reads no axis V
// Given: 'p'
#include "refused.hpp"

REFUSED(variant("wrong").phase(per_key(param("p", value_axis))))
