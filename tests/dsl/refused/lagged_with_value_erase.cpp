// SPDX-License-Identifier: MIT
// Must not compile: beside a lagged write nothing is erased: what is written again would be erased again
// Given: an erase
#include "refused.hpp"

REFUSED(variant("wrong").write_lagged(input("l")).value_erase(sigmoid(input("b"))))
