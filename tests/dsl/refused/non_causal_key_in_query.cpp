// SPDX-License-Identifier: MIT
// Must not compile: a non-causal query has no key of its own
// Given: 'key()'
#include "refused.hpp"

REFUSED(variant("wrong").query(query() + key()).non_causal())
