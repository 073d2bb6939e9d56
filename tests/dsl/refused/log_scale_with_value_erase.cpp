// SPDX-License-Identifier: MIT
// Must not compile: beside a write_log_scale nothing is erased
// Given: an erase
#include "refused.hpp"

REFUSED(variant("wrong").value_erase(input("b")).write_log_scale(input("i")).output(read() / unit()))
