// SPDX-License-Identifier: MIT
// Must not compile: a variant's name starts with a letter; letters, digits and underscores follow
// Given: '3rd'
#include "refused.hpp"

REFUSED(variant("3rd"))
