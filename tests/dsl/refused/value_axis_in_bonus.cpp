// SPDX-License-Identifier: MIT
// Must not compile: a formula of keys and queries runs over no value columns: it reads no axis V
// Given: 'u'
#include "refused.hpp"

REFUSED(variant("wrong").bonus(param("u", value_axis)))
