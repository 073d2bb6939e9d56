// SPDX-License-Identifier: MIT
// One gate for all threads: steps pass through it until the program ends.
#include "runtime/interruption.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace rankone {
namespace {

using namespace std::chrono_literals;

constexpr auto step_patience = 10s;     // a disk may be slow; one that hangs must not keep the program
constexpr auto child_patience = 300ms;  // a compiler may have files elsewhere, which it removes when it is asked to end
constexpr auto removal_patience = 2s;   // children that were killed may need a core to end, and write until then

struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  int steps = 0;  // under way
  bool closed = false;
  unsigned last_id = 0;
  std::map<unsigned, std::filesystem::path> leftovers;
  std::set<pid_t> children;
};
Gate& gate() {
  static auto* const all = new Gate;  // never destroyed: threads may outlive main()
  return *all;
}

std::atomic<bool> promised{false};
thread_local int depth = 0;

void end(pid_t leader) {
  ::kill(-leader, SIGTERM);
  siginfo_t info{};
  const auto deadline = std::chrono::steady_clock::now() + child_patience;
  while (::waitid(P_PID, static_cast<id_t>(leader), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0 &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(1ms);
  ::kill(-leader, SIGKILL);
}

// What a dying child writes meanwhile makes a folder that was just emptied one that is not empty.
void remove_wholly(const std::filesystem::path& path) {
  const auto deadline = std::chrono::steady_clock::now() + removal_patience;
  for (std::error_code failed; std::filesystem::remove_all(path, failed), failed;) {
    if (std::chrono::steady_clock::now() > deadline) return;
    std::this_thread::sleep_for(1ms);
  }
}

}  // namespace

Uninterrupted::Uninterrupted() {
  if (depth++ > 0) return;
  std::unique_lock guard(gate().mutex);
  gate().changed.wait(guard, [] { return !gate().closed; });
  ++gate().steps;
}

Uninterrupted::~Uninterrupted() {
  if (--depth > 0) return;
  std::unique_lock guard(gate().mutex);
  --gate().steps;
  if (!gate().closed) return;
  gate().changed.notify_all();
  gate().changed.wait(guard, [] { return false; });
}

Leftover::Leftover(const std::filesystem::path& path) {
  const std::lock_guard guard(gate().mutex);
  id_ = ++gate().last_id;
  gate().leftovers.emplace(id_, path);
}
Leftover::Leftover(Leftover&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
Leftover& Leftover::operator=(Leftover&& other) noexcept {
  std::swap(id_, other.id_);
  return *this;
}
Leftover::~Leftover() {
  if (id_ == 0) return;
  const std::lock_guard guard(gate().mutex);
  gate().leftovers.erase(id_);
}

ChildGroup::ChildGroup(pid_t leader) : leader_(leader) {
  const std::lock_guard guard(gate().mutex);
  gate().children.insert(leader_);
}
ChildGroup::~ChildGroup() {
  const std::lock_guard guard(gate().mutex);
  gate().children.erase(leader_);
}

void promise_to_leave_nothing_behind() { promised = true; }
bool leaves_nothing_behind() { return promised; }

void leave_nothing_behind() {
  std::unique_lock guard(gate().mutex);
  gate().closed = true;
  gate().changed.wait_for(guard, step_patience, [] { return gate().steps == 0; });
  for (const pid_t leader : gate().children) end(leader);
  for (const auto& [id, path] : gate().leftovers) remove_wholly(path);
}

}  // namespace rankone
