// SPDX-License-Identifier: MIT
// Must not compile: what says which value is erased needs a scale by which it is
// Given: no value_erase
#include "refused.hpp"

REFUSED(variant("wrong").erase(1).value_erase_read(value()))
