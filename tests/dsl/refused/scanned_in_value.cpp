// SPDX-License-Identifier: MIT
// Must not compile: scanned() and scanned_before() stand in per-key decays and expressions of keys and queries
// Given: 'scanned'
#include "refused.hpp"

REFUSED(variant("wrong").cumulative_sum(input("x")).value(value() * scanned()))
