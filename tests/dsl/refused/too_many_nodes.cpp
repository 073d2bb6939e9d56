// SPDX-License-Identifier: MIT
// Must not compile: a declaration has at most 256 different nodes
// Given: more
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head([] {
  Expression tower = input("x");
  for (int i = 0; i < 256; ++i) tower = tanh(tower);
  return tower;
}())))
