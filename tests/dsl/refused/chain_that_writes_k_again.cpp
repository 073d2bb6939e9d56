// SPDX-License-Identifier: MIT
// Must not compile: a chain's second pass has slots for keys, and neither k nor q: its key is a formula of its own
// Given: q or k
#include "refused.hpp"

REFUSED(variant("wrong").value(input("s")).then(second_pass().query(softmax(passed()))))
