// SPDX-License-Identifier: MIT
// Must not compile: scanned() and scanned_before() belong to a scan
// Given: none
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_key(scanned_before() - scanned())))
