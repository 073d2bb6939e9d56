// SPDX-License-Identifier: MIT
// Must not compile: unit() belongs to a write_log_scale: without one it would be 1
// Given: 'unit()'
#include "refused.hpp"

REFUSED(variant("wrong").output(read() / max(abs(normaliser()), unit())))
