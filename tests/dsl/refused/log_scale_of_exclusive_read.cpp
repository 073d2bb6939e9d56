// SPDX-License-Identifier: MIT
// Must not compile: beside a write_log_scale a query reads its own token's write, in whose units outputs are
// Given: an exclusive read
#include "refused.hpp"

REFUSED(variant("wrong").exclusive().write_log_scale(input("i")).output(read() / unit()))
