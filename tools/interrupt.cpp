// SPDX-License-Identifier: MIT
// Ctrl-C: long searches stop and keep what they learnt, everything else ends at once with exit code 130.
#include "tools/interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <system_error>
#include <thread>

#include "runtime/interruption.hpp"
#include "tools/commands.hpp"

namespace rankone {
namespace {

std::atomic<bool> deferred{false}, pending{false};

void on_interrupt(int signal) {
  if (signal == SIGINT && deferred && !pending.exchange(true)) return;
  leave_nothing_behind();
  _exit(128 + signal);
}

constexpr int our_signals[] = {SIGINT, SIGTERM, SIGHUP};
bool is_ours(int signal) {
  return std::find(std::begin(our_signals), std::end(our_signals), signal) != std::end(our_signals);
}

}  // namespace

// A thread waits for signals that every thread blocks: unlike a handler it may lock, wait and remove files.
void install_interrupt_handler() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : our_signals) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaddset(&ours, signal);  // as nohup and background jobs want it
  }
  pthread_sigmask(SIG_BLOCK, &ours, nullptr);
  try {
    std::thread([ours] {
      for (int signal = 0;;)
        if (sigwait(&ours, &signal) == 0) on_interrupt(signal);
    }).detach();
    promise_to_leave_nothing_behind();
  } catch (const std::system_error&) {  // no thread to be had: the system's own way of ending serves
    pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
  }
}

Interruptible::Interruptible() { deferred = true; }
Interruptible::~Interruptible() { deferred = false; }
bool Interruptible::interrupted() const { return pending; }

}  // namespace rankone

// NVRTC's front end sets SIGINT and SIGTERM to be ignored, which drops one that has just come, and then to a handler
// that ends the process with a code of its own. Programs come before libraries when names are resolved, so it finds this
// function instead of the C library's, and leaves both signals alone.
extern "C" __attribute__((visibility("default"))) sighandler_t signal(int number, sighandler_t handler) noexcept {
  if (rankone::is_ours(number) && rankone::leaves_nothing_behind()) return SIG_DFL;
  struct sigaction wanted {
  }, before{};
  wanted.sa_handler = handler;
  wanted.sa_flags = SA_RESTART;
  return sigaction(number, &wanted, &before) == 0 ? before.sa_handler : SIG_ERR;
}
