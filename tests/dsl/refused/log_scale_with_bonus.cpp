// SPDX-License-Identifier: MIT
// Must not compile: beside a write_log_scale a query reads its own token's write, in whose units outputs are
// Given: a bonus
#include "refused.hpp"

REFUSED(variant("wrong").bonus(param("u")).write_log_scale(input("i")).output(read() / unit()))
