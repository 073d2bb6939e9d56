// SPDX-License-Identifier: MIT
// Ctrl-C: long searches stop and keep what they learnt, everything else ends at once with exit code 130.
#pragma once

namespace rankone {

// Before any other thread starts.
void install_interrupt_handler();

// While one lives, the first Ctrl-C only sets the flag; the second one ends the program.
class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  bool interrupted() const;
};

}  // namespace rankone
