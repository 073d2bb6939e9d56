// SPDX-License-Identifier: MIT
// The vocabulary's host voice: stands in front of emitted text when the CPU device compiles it, never in an export.
#pragma once

#include "host/optimizations.hpp"

#include "host/global.hpp"
#include "host/interface.hpp"
#include "host/keywords.hpp"
#include "host/numbers.hpp"
#include "host/words.hpp"
