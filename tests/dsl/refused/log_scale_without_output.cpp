// SPDX-License-Identifier: MIT
// Must not compile: beside a write_log_scale outputs have no units: what was read is divided by normaliser() or unit()
// Given: what was read
#include "refused.hpp"

REFUSED(variant("wrong").write_log_scale(input("i")))
