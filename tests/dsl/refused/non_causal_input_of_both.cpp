// SPDX-License-Identifier: MIT
// Must not compile: a token input of a non-causal variant is of queries or of keys, which are counted apart
// Given: 'w'
#include "refused.hpp"

REFUSED(variant("wrong").write_scale(input("w")).output(read() * input("w", value_head_axis)).non_causal())
