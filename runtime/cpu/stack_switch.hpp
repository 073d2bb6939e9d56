// SPDX-License-Identifier: MIT
// From one fiber's stack to another one's.
#pragma once

#include <cstddef>

namespace rankone {

// Where a fiber goes on that does not run now.
using StackContext = void*;

// A fiber that begins at `start`, which never returns, with an empty stack of `bytes` bytes below `top`.
StackContext new_stack(void* top, std::size_t bytes, void (*start)());

// Leaves this fiber, which goes on when somebody switches to what is then in `left`, for another one.
extern "C" void rankone_switch_stack(StackContext* left, StackContext to);

}  // namespace rankone
