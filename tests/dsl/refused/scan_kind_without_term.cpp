// SPDX-License-Identifier: MIT
// Must not compile: what says how something is scanned needs a term that is
// Given: no term
#include "refused.hpp"

REFUSED(variant("wrong").cumulative_log_sum_exp({}))
