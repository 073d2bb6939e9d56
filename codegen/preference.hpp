// SPDX-License-Identifier: MIT
// Which legal schedule is taken where nothing has been tuned.
#pragma once

#include "codegen/plan.hpp"

namespace rankone {

// The best of `legal`, which is not empty. `bytes[i]` is the shared memory of schedule i.
Schedule preferred(const std::vector<Schedule>& legal, const std::vector<int>& bytes);

}  // namespace rankone
