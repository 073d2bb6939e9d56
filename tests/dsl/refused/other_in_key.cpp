// SPDX-License-Identifier: MIT
// Must not compile: other() and keys() stand in feature maps alone
// Given: 'other'
#include "refused.hpp"

REFUSED(variant("wrong").key(key() * other()))
