// SPDX-License-Identifier: MIT
// Must not compile: a normaliser has no value columns that a value could be erased of
// Given: 'normaliser()'
#include "refused.hpp"

REFUSED(variant("wrong").value_erase(input("b")).normalised(1))
