// SPDX-License-Identifier: MIT
// Must not compile: a name has at most 31 characters
// Given: 'a_name_that_goes_on_for_too_long'
#include "refused.hpp"

REFUSED(variant("a_name_that_goes_on_for_too_long"))
