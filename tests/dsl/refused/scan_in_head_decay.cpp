// SPDX-License-Identifier: MIT
// Must not compile: a scan has a number for each key: a decay that reads it is per_key
// Given: another kind
#include "refused.hpp"

REFUSED(variant("wrong").cumulative_sum(input("x")).decay(per_head(-softplus(scanned()))))
