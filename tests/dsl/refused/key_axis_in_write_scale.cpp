// SPDX-License-Identifier: MIT
// Must not compile: a scale is one number for each token and head: it reads neither axis K nor axis V
// Given: 'b'
#include "refused.hpp"

REFUSED(variant("wrong").write_scale(param("b", key_axis)))
