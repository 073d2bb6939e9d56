// SPDX-License-Identifier: MIT
// Fiber stacks in an aligned range of addresses, so that a thread finds its record from its stack pointer.
#pragma once

#include <cstddef>

#include "templates/host/interface.hpp"

namespace rankone {

class Arena {
 public:
  Arena();  // throws Error where the system gives no addresses
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void reserve(int threads);  // makes that many stacks usable
  HostThread& record(int thread);
  void* stack_top(int thread) const;
  std::size_t stack_bytes(int thread) const;
  void unpoison(int threads) const;  // tells AddressSanitizer that abandoned frames are gone

 private:
  unsigned char* slot(int thread) const { return base_ + (static_cast<unsigned long>(thread) + 1) * host_slot_bytes; }
  unsigned char* base_ = nullptr;
  int reserved_ = 0;
};

}  // namespace rankone
