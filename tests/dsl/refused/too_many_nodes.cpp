// SPDX-License-Identifier: MIT
// Must not compile: an expression has at most 64 nodes
// Given: more
#include "refused.hpp"

REFUSED(variant("wrong").decay(per_head([] {
  Expression tower = input("x");
  for (int i = 0; i < 64; ++i) tower = tanh(tower);
  return tower;
}())))
