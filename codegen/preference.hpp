// SPDX-License-Identifier: MIT
// Which legal schedule is taken where nothing has been tuned.
#pragma once

#include "codegen/program.hpp"

namespace rankone {

// The best of `legal`, which is not empty; of equals the first.
Schedule preferred(const std::vector<Schedule>& legal);

}  // namespace rankone
