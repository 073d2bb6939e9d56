// SPDX-License-Identifier: MIT
// Must not compile: a declaration has at most 256 different nodes
// Given: more
#include "refused.hpp"

constexpr Expression tower_of(Expression tower) {
  for (int i = 0; i < 200; ++i) tower = tanh(tower);
  return tower;
}
REFUSED(variant("wrong").decay(per_head(-square(tower_of(input("x"))))).write_scale(tower_of(input("y"))))
