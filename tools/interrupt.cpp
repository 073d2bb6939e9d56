// SPDX-License-Identifier: MIT
// Ctrl-C: long searches stop and keep what they learnt, everything else ends at once with exit code 130.
#include "tools/interrupt.hpp"

#include <atomic>
#include <csignal>

#include <unistd.h>

#include "runtime/cpu/host_compiler.hpp"
#include "tools/commands.hpp"

namespace rankone {
namespace {

// Lock-free atomics are all that a signal handler may touch.
std::atomic<bool> deferred{false}, pending{false};

void on_interrupt(int signal) {
  if (signal == SIGINT && deferred && !pending.exchange(true)) return;
  remove_build_folders();
  _exit(signal == SIGINT ? exit_interrupted : 128 + signal);
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Interruptible::Interruptible() { deferred = true; }
Interruptible::~Interruptible() { deferred = false; }
bool Interruptible::interrupted() const { return pending; }

}  // namespace rankone
